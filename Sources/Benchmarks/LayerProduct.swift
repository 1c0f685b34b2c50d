import Experiments
import Networks
import Tensors

/// The three matrix products that training does with a dense layer.
enum LayerProduct: String, CaseIterable {
  /// z = h Wᵀ
  case forward
  /// ∂W = δᵀ h
  case weightGradient = "weight gradient"
  /// δ below = δ W
  case inputGradient = "input gradient"
}

/// What a dense layer maps to what, and whether it reads the samples themselves.
struct DenseShape {
  let inputs: Int
  let outputs: Int
  let isFirst: Bool

  /// The dense layers of a graph, in order.
  static func all(of graph: Graph) -> [DenseShape] {
    graph.nodes.indices.compactMap { node in
      guard graph.nodes[node].layer is Dense,
        let weight = graph.tensors(of: node).first(where: { $0.role == .weight })
      else { return nil }
      return DenseShape(
        inputs: weight.shape[1], outputs: weight.shape[0],
        isFirst: graph.inputs(of: node) == [nil])
    }
  }
}

/// One such product on operands of its own.
final class ProductTimer {
  let name: String

  /// Floating-point operations of one product.
  let operations: Double
  private let a: Matrix
  private let b: Matrix
  private let (isATransposed, isBTransposed): (Bool, Bool)
  private var c: Matrix

  /// C ← A B of random matrices, either of them stored transposed.
  init(
    _ name: String, rows: Int, inner: Int, columns: Int, transposingA: Bool = false,
    transposingB: Bool = false
  ) {
    var random = RandomStream(seed: 1, "benchmark product")
    func matrix(_ rows: Int, _ columns: Int, isTransposed: Bool) -> Matrix {
      Matrix(
        rows: isTransposed ? columns : rows, columns: isTransposed ? rows : columns,
        elements: (0..<rows * columns).map { _ in random.uniform() - 0.5 })
    }
    self.name = name
    operations = 2 * Double(rows) * Double(inner) * Double(columns)
    (isATransposed, isBTransposed) = (transposingA, transposingB)
    a = matrix(rows, inner, isTransposed: transposingA)
    b = matrix(inner, columns, isTransposed: transposingB)
    c = Matrix(rows: rows, columns: columns)
  }

  /// A layer's product for a batch; nil for the one that the first layer does not need.
  convenience init?(_ product: LayerProduct, of layer: DenseShape, rows: Int) {
    let (n, m) = (layer.outputs, layer.inputs)
    let name = "\(product.rawValue) \(m)→\(n), batch \(rows)"
    switch product {
    case .forward: self.init(name, rows: rows, inner: m, columns: n, transposingB: true)
    case .weightGradient: self.init(name, rows: n, inner: rows, columns: m, transposingA: true)
    case .inputGradient:
      guard !layer.isFirst else { return nil }
      self.init(name, rows: rows, inner: n, columns: m)
    }
  }

  func run(_ parallelism: Parallelism) {
    a.withView { a in
      b.withView { b in
        c.withMutableView {
          multiply(
            isATransposed ? a.transposed : a, isBTransposed ? b.transposed : b, into: $0,
            parallelism: parallelism)
        }
      }
    }
  }
}
