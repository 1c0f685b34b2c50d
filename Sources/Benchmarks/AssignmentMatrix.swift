import Experiments
import Foundation
import Networks
import Tensors

/// A similarity matrix to time linear assignment on.
struct AssignmentMatrix {
  /// How the similarities come about.
  enum Kind: String, CaseIterable {
    /// Independent normal numbers.
    case normal

    /// What weight matching compares: the products of two layers' weights.
    ///
    /// The units of both layers are mixtures of the same 32 patterns of 784 inputs, with noise of the same
    /// size; then many units are about as similar as the best match, as trained layers' are.
    case weights
  }

  let kind: Kind
  let count: Int

  var name: String { "\(kind.rawValue)-\(count)" }

  static let all = Kind.allCases.flatMap { kind in
    [512, 1024, 2048].map { AssignmentMatrix(kind: kind, count: $0) }
  }

  /// The matrix, the same every time on one machine.
  var similarity: Matrix {
    switch kind {
    case .normal: return normal(count, count, "similarity")
    case .weights:
      let (inputs, patterns) = (784, 32)
      let shared = normal(patterns, inputs, "patterns")
      let layers = [0, 1].map { layer in
        var weights = normal(count, inputs, "noise", layer)
        let mixing = normal(count, patterns, "mixing", layer)
        mixing.withView { mixing in
          shared.withView { shared in
            weights.withMutableView {
              multiply(mixing, shared, into: $0, scale: 1 / Float(patterns).squareRoot(), keep: 1)
            }
          }
        }
        return weights
      }
      var result = Matrix(rows: count, columns: count)
      layers[0].withView { first in
        layers[1].withView { second in
          result.withMutableView {
            multiply(first, second.transposed, into: $0, scale: 1 / Float(inputs))
          }
        }
      }
      return result
    }
  }

  /// Writes `NAME.safetensors` with the tensor `similarity`.
  func write(to folder: String) throws {
    let tensor = Safetensors.Tensor(
      name: "similarity", shape: [count, count], floats: similarity.elements)
    try Safetensors(tensors: [tensor]).write(to: "\(folder)/\(name).safetensors")
  }

  private func normal(_ rows: Int, _ columns: Int, _ purpose: String, _ layer: Int = 0) -> Matrix {
    var random = RandomStream(seed: 1, "benchmark assignment \(purpose)", count, layer)
    return Matrix(
      rows: rows, columns: columns, elements: (0..<rows * columns).map { _ in random.normal() })
  }
}
