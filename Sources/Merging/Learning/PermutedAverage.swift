import Networks

/// The mean of members whose hidden units are mixed by matrices, and its derivative.
///
/// W̄_l = Σ_m w_m P_{m,l} W_{m,l} P_{m,l−1}ᵀ and b̄_l = Σ_m w_m P_{m,l} b_{m,l}, with shares w_m = 1/M unless
/// others are set, or with learned weights of each unit (``UnitWeights``). Member 0 and the output layer keep the
/// identity. The weights are merged first and one network is run, so a step costs two products a layer and
/// member, whatever the batch.
struct PermutedAverage {
  let members: [Network]
  let layers: [DenseLayer]
  let parallelism: Parallelism

  /// Each member's share in the mean; they sum to one.
  var shares: [Float]

  /// The learned weights of each unit, if there are any.
  private(set) var unitWeights: UnitWeights?

  /// The merged network, as of the last ``merge(_:)``.
  private(set) var network: Network

  /// With ``unitWeights``, the members' parameters as mixed; empty without.
  private var mixed: [[Float]] = []

  /// W_{m,l} P_{m,l−1}ᵀ, [member][layer]; for the first layer W itself, so nothing is kept.
  private var rightProducts: [[Matrix?]]

  init(
    _ members: [Network], architecture: Architecture, parallelism: Parallelism,
    unitWeights: UnitWeights? = nil
  ) {
    self.unitWeights = unitWeights
    if unitWeights != nil { mixed = members.map(\.parameters) }
    self.members = members
    shares = members.map { _ in 1 / Float(members.count) }
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
    guard let unitWeights else {
      var sum: [Float] = []
      swap(&sum, &network.parameters)
      scale(members[0].parameters, by: shares[0], into: &sum)
      for number in 1..<members.count {
        add(number, mixedBy: permutations[number - 1], scale: shares[number], to: &sum)
      }
      swap(&sum, &network.parameters)
      return
    }
    for number in 1..<members.count {
      var block: [Float] = []
      swap(&block, &mixed[number])
      block.withUnsafeMutableBufferPointer { $0.update(repeating: 0) }
      add(number, mixedBy: permutations[number - 1], scale: 1, to: &block)
      swap(&block, &mixed[number])
    }
    unitWeights.merge(mixed, factors: factors, into: &network.parameters)
  }

  /// The shares over equal ones, which the units' weights are multiplied by.
  private var factors: [Float] { shares.map { $0 * Float(members.count) } }

  /// Takes the merged network's gradient on to the units' weights.
  mutating func pullBack(_ gradient: [Float]) {
    let factors = factors
    unitWeights?.pullBack(gradient, mixed, factors: factors)
  }

  /// Moves the units' weights, if there are any; ``merge(_:)`` is to follow.
  mutating func stepUnitWeights(learningRate: Float) {
    unitWeights?.step(learningRate: learningRate)
  }

  /// The gradients with respect to the matrices of one member, [hidden layer], from the merged network's.
  func gradients(member number: Int, permutations: [[Matrix]], from gradient: [Float]) -> [Matrix] {
    // Without weights of its own, a member's gradient is the merged network's times its share.
    let own = unitWeights?.memberGradient(number, from: gradient, factor: factors[number])
    return permutations[number - 1].indices.map { index in
      self.gradient(
        member: number, layer: index, permutations: permutations, from: own ?? gradient,
        scale: own == nil ? shares[number] : 1)
    }
  }

  /// The mean of members mixed by permutations, with the units' weights as learned.
  func average(of permuted: [Network]) -> Network {
    var result = network
    if let unitWeights {
      unitWeights.merge(
        permuted.map(\.parameters), factors: factors, into: &result.parameters)
    } else {
      result.parameters = mean(of: permuted.map(\.parameters))
    }
    return result
  }

  /// Adds a member's mixed parameters to a block.
  private mutating func add(
    _ number: Int, mixedBy own: [Matrix], scale share: Float, to sum: inout [Float]
  ) {
    let parallelism = parallelism
    let member = members[number]
    for layer in layers {
      if layer.index > 0 {
        member.withWeights(layer) { w in
          own[layer.index - 1].withView { p in
            rightProducts[number][layer.index]?.withMutableView {
              multiply(w, p.transposed, into: $0, parallelism: parallelism)
            }
          }
        }
      }
      let isHidden = layer.index < own.count
      withRightProduct(number, layer) { right in
        sum.withUnsafeMutableBufferPointer { all in
          let target = UnsafeMutableBufferPointer(rebasing: all[layer.weights])
          guard isHidden else { return right.accumulate(into: target, scale: share) }
          own[layer.index].withView {
            multiply(
              $0, right,
              into: MutableMatrixView(target, rows: layer.outputs, columns: layer.inputs),
              scale: share, keep: 1, parallelism: parallelism)
          }
        }
      }
      var bias = member.biases(layer)
      if isHidden {
        let unmixed = bias
        own[layer.index].withView { multiply($0, unmixed, into: &bias) }
      }
      for (i, value) in zip(layer.biases, bias) { sum[i] += share * value }
    }
  }

  /// The gradient of the loss with respect to one matrix, from that with respect to the member as mixed, ∂W.
  ///
  /// ∂L/∂P_{m,l} = s (∂W_l (W_{m,l} P_{m,l−1}ᵀ)ᵀ + ∂b_l b_{m,l}ᵀ + ∂W_{l+1}ᵀ P_{m,l+1} W_{m,l+1}).
  ///
  /// - Parameters:
  ///   - number: the member, from 1.
  ///   - index: the hidden layer.
  ///   - permutations: as last merged.
  ///   - gradient: ∂W and ∂b, laid out as the parameters.
  ///   - share: s; the member's share if the gradient is the merged network's own.
  /// - Returns: ∂L/∂P_{m,l}, n × n.
  func gradient(
    member number: Int, layer index: Int, permutations: [[Matrix]], from gradient: [Float],
    scale share: Float
  ) -> Matrix {
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
