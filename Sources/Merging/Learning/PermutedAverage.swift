import Networks

/// The mean of members whose hidden units are mixed by matrices, and its derivative.
///
/// W̄_l = 1/M Σ_m P_{m,l} W_{m,l} P_{m,l−1}ᵀ and b̄_l = 1/M Σ_m P_{m,l} b_{m,l}. Member 0 and the output
/// layer keep the identity. The weights are merged first and one network is run, so a step costs two
/// products a layer and member, whatever the batch.
struct PermutedAverage {
  let members: [Network]
  let layers: [DenseLayer]
  let parallelism: Parallelism

  /// The merged network, as of the last ``merge(_:)``.
  private(set) var network: Network

  /// W_{m,l} P_{m,l−1}ᵀ, [member][layer]; for the first layer W itself, so nothing is kept.
  private var rightProducts: [[Matrix?]]

  init(_ members: [Network], architecture: Architecture, parallelism: Parallelism) {
    self.members = members
    self.parallelism = parallelism
    layers = architecture.layers
    network = members[0]
    rightProducts = members.map { _ in
      architecture.layers.map {
        $0.index == 0 ? nil : Matrix(rows: $0.outputs, columns: $0.inputs)
      }
    }
  }

  /// Recomputes the merged network.
  ///
  /// - Parameter permutations: [member − 1][hidden layer].
  mutating func merge(_ permutations: [[Matrix]]) {
    let share = 1 / Float(members.count)
    let parallelism = parallelism
    scale(members[0].parameters, by: share, into: &network.parameters)
    for number in 1..<members.count {
      let member = members[number]
      let own = permutations[number - 1]
      for layer in layers {
        let weights = layer.weights
        if layer.index > 0 {
          let before = own[layer.index - 1]
          member.withWeights(layer) { w in
            before.withView { p in
              rightProducts[number][layer.index]?.withMutableView {
                multiply(w, p.transposed, into: $0, parallelism: parallelism)
              }
            }
          }
        }
        let isHidden = layer.index < own.count
        withRightProduct(number, layer) { right, network in
          network.parameters.withUnsafeMutableBufferPointer { all in
            let target = UnsafeMutableBufferPointer(rebasing: all[weights])
            if isHidden {
              own[layer.index].withView {
                multiply(
                  $0, right,
                  into: MutableMatrixView(target, rows: layer.outputs, columns: layer.inputs),
                  scale: share, keep: 1, parallelism: parallelism)
              }
            } else {
              right.accumulate(into: target, scale: share)
            }
          }
        }
        var bias = member.biases(layer)
        if isHidden {
          let unmixed = bias
          own[layer.index].withView { multiply($0, unmixed, into: &bias) }
        }
        for (i, value) in zip(layer.biases, bias) { network.parameters[i] += share * value }
      }
    }
  }

  /// The gradient of the loss with respect to one matrix, from the merged network's gradient.
  ///
  /// ∂L/∂P_{m,l} = 1/M (∂W̄_l (W_{m,l} P_{m,l−1}ᵀ)ᵀ + ∂b̄_l b_{m,l}ᵀ + ∂W̄_{l+1}ᵀ P_{m,l+1} W_{m,l+1}).
  ///
  /// - Parameters:
  ///   - number: the member, from 1.
  ///   - index: the hidden layer.
  ///   - permutations: as last merged.
  ///   - gradient: ∂L/∂W̄ and ∂L/∂b̄, laid out as the parameters.
  /// - Returns: ∂L/∂P_{m,l}, n × n.
  func gradient(
    member number: Int, layer index: Int, permutations: [[Matrix]], from gradient: [Float]
  ) -> Matrix {
    let share = 1 / Float(members.count)
    let member = members[number]
    let (layer, next) = (layers[index], layers[index + 1])
    var result = Matrix(rows: layer.outputs, columns: layer.outputs)
    gradient.withUnsafeBufferPointer { gradient in
      func view(_ layer: DenseLayer) -> MatrixView {
        MatrixView(
          UnsafeBufferPointer(rebasing: gradient[layer.weights]), rows: layer.outputs,
          columns: layer.inputs)
      }
      result.withMutableView { result in
        let bias = Matrix(rows: 1, columns: layer.outputs, elements: member.biases(layer))
        let biasGradient = MatrixView(
          UnsafeBufferPointer(rebasing: gradient[layer.biases]), rows: layer.outputs, columns: 1)
        bias.withView { multiply(biasGradient, $0, into: result, scale: share) }
        withRightProduct(number, layer) { right in
          multiply(
            view(layer), right.transposed, into: result, scale: share, keep: 1,
            parallelism: parallelism)
        }
        member.withWeights(next) { w in
          guard index + 1 < permutations[number - 1].count else {
            return multiply(
              view(next).transposed, w, into: result, scale: share, keep: 1,
              parallelism: parallelism)
          }
          var left = Matrix(rows: next.outputs, columns: next.inputs)
          permutations[number - 1][index + 1].withView { p in
            left.withMutableView { multiply(p, w, into: $0, parallelism: parallelism) }
          }
          left.withView {
            multiply(
              view(next).transposed, $0, into: result, scale: share, keep: 1,
              parallelism: parallelism)
          }
        }
      }
    }
    return result
  }

  private func withRightProduct(
    _ number: Int, _ layer: DenseLayer, _ body: (MatrixView) -> Void
  ) {
    if let product = rightProducts[number][layer.index] {
      product.withView(body)
    } else {
      members[number].withWeights(layer, body)
    }
  }

  private mutating func withRightProduct(
    _ number: Int, _ layer: DenseLayer, _ body: (MatrixView, inout Network) -> Void
  ) {
    if let product = rightProducts[number][layer.index] {
      product.withView { body($0, &network) }
    } else {
      members[number].withWeights(layer) { body($0, &network) }
    }
  }
}

extension Network {
  /// Lends a layer's weights to a closure without a copy.
  fileprivate func withWeights<Result>(
    _ layer: DenseLayer, _ body: (MatrixView) throws -> Result
  ) rethrows -> Result {
    try parameters.withUnsafeBufferPointer {
      try body(
        MatrixView(
          UnsafeBufferPointer(rebasing: $0[layer.weights]), rows: layer.outputs,
          columns: layer.inputs))
    }
  }
}
