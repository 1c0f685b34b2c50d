import Networks
import RealModule

/// A mean of members in which every unit of the merged network has its own weights of the members' units, learned.
///
/// W̄_l[i, j] = Σ_m a_{m,l}[i] c_{m,l−1}[j] W_{m,l}[i, j] and b̄_l[i] = Σ_m a_{m,l}[i] b_{m,l}[i] + t_l[i], for members lined
/// up already. It starts as the plain mean: a = 1/M, c = 1, t = 0. Where the members' units agree only in part, averaging
/// takes from a unit's variance and gives a compromise between its members; a can give the variance back, as REPAIR does from
/// statistics (Jordan et al. 2023), or lean towards the member whose unit serves best. M (n_l + n_{l−1}) + n_l numbers
/// are learned for a layer, against n_l n_{l−1} parameters.
struct UnitWeights: Sendable {
  private let layers: [DenseLayer]
  private let memberCount: Int
  private let threads: Int

  /// a of all members, c of all members, and t; see ``a(_:)`` and the like for where.
  private(set) var values: [Float]
  private(set) var gradient: [Float]
  private var optimizer: Adam
  private let outputs: Int
  private let inputs: Int

  init(_ architecture: Architecture, members: Int, threads: Int) {
    layers = architecture.layers
    memberCount = members
    self.threads = threads
    outputs = layers.reduce(0) { $0 + $1.outputs }
    inputs = layers.dropFirst().reduce(0) { $0 + $1.inputs }
    values =
      Array(repeating: 1 / Float(members), count: members * outputs)
      + Array(repeating: 1, count: members * inputs) + Array(repeating: 0, count: outputs)
    gradient = Array(repeating: 0, count: values.count)
    optimizer = Adam(count: values.count)
  }

  /// Where a of a member and a layer lies.
  private func rowWeights(_ member: Int, _ layer: DenseLayer) -> Range<Int> {
    let start = member * outputs + unitsBefore(layer)
    return start..<start + layer.outputs
  }

  /// Where c of a member and a layer's inputs lies; nil for the first layer, whose inputs are the data.
  private func columnWeights(_ member: Int, _ layer: DenseLayer) -> Range<Int>? {
    guard layer.index > 0 else { return nil }
    let before = layers[1..<layer.index].reduce(0) { $0 + $1.inputs }
    let start = memberCount * outputs + member * inputs + before
    return start..<start + layer.inputs
  }

  /// Where t of a layer lies.
  private func shifts(_ layer: DenseLayer) -> Range<Int> {
    let start = memberCount * (outputs + inputs) + unitsBefore(layer)
    return start..<start + layer.outputs
  }

  private func unitsBefore(_ layer: DenseLayer) -> Int {
    layers[..<layer.index].reduce(0) { $0 + $1.outputs }
  }

  /// The weighted mean.
  ///
  /// - Parameters:
  ///   - members: the parameters of each, lined up.
  ///   - factors: of each member's weights.
  ///   - mean: overwritten; laid out as the members.
  func merge(_ members: [[Float]], factors: [Float], into mean: inout [Float]) {
    mean.withUnsafeMutableBufferPointer { mean in
      // Each row is written by one thread.
      nonisolated(unsafe) let mean = mean
      for layer in layers {
        let parts = min(8 * threads, layer.outputs)
        concurrently(parts, threads: threads) { index in
          for row in index * layer.outputs / parts..<(index + 1) * layer.outputs / parts {
            let place = layer.weights.lowerBound + row * layer.inputs
            let target = UnsafeMutableBufferPointer(rebasing: mean[place..<place + layer.inputs])
            target.update(repeating: 0)
            var bias = values[shifts(layer).lowerBound + row]
            for (member, parameters) in members.enumerated() {
              let a = values[rowWeights(member, layer).lowerBound + row] * factors[member]
              bias += a * parameters[layer.biases.lowerBound + row]
              parameters.withUnsafeBufferPointer { parameters in
                let source = UnsafeBufferPointer(
                  rebasing: parameters[place..<place + layer.inputs])
                addRow(source, scale: a, columns: columnWeights(member, layer), to: target)
              }
            }
            mean[layer.biases.lowerBound + row] = bias
          }
        }
      }
    }
  }

  /// sum ← sum + scale · c ∘ row.
  private func addRow(
    _ row: UnsafeBufferPointer<Float>, scale: Float, columns: Range<Int>?,
    to sum: UnsafeMutableBufferPointer<Float>
  ) {
    guard let columns else {
      for j in sum.indices { sum[j] = Relaxed.multiplyAdd(scale, row[j], sum[j]) }
      return
    }
    values.withUnsafeBufferPointer { values in
      let c = UnsafeBufferPointer(rebasing: values[columns])
      for j in sum.indices { sum[j] = Relaxed.multiplyAdd(scale * c[j], row[j], sum[j]) }
    }
  }

  /// Takes the gradient with respect to the mean, and keeps that with respect to a, c and t.
  ///
  /// ∂a_m[i] = Σ_j ∂W̄[i, j] c_m[j] W_m[i, j] + ∂b̄[i] b_m[i], ∂c_m[j] = Σ_i ∂W̄[i, j] a_m[i] W_m[i, j], ∂t[i] = ∂b̄[i].
  ///
  /// - Parameters:
  ///   - mean: ∂W̄ and ∂b̄, laid out as the members.
  ///   - members: as last merged.
  ///   - factors: as last merged.
  mutating func pullBack(_ mean: [Float], _ members: [[Float]], factors: [Float]) {
    gradient = gradient(from: mean, members, factors: factors)
  }

  private func gradient(from mean: [Float], _ members: [[Float]], factors: [Float]) -> [Float] {
    var own = gradient
    own.withUnsafeMutableBufferPointer { own in
      // Each member's places are written by one thread.
      nonisolated(unsafe) let own = own
      concurrently(members.count, threads: threads) { member in
        for layer in layers {
          let rows = rowWeights(member, layer)
          let columns = columnWeights(member, layer)
          if let columns { own[columns].update(repeating: 0) }
          for row in 0..<layer.outputs {
            let place = layer.weights.lowerBound + row * layer.inputs
            let range = place..<place + layer.inputs
            let bias = layer.biases.lowerBound + row
            let sum = mean.withUnsafeBufferPointer { mean in
              members[member].withUnsafeBufferPointer { parameters in
                pullBackRow(
                  UnsafeBufferPointer(rebasing: mean[range]),
                  UnsafeBufferPointer(rebasing: parameters[range]),
                  scale: values[rows.lowerBound + row] * factors[member], columns: columns,
                  columnGradient: columns.map { UnsafeMutableBufferPointer(rebasing: own[$0]) })
              }
            }
            own[rows.lowerBound + row] =
              factors[member] * (sum + mean[bias] * members[member][bias])
          }
        }
      }
      for layer in layers {
        for (place, bias) in zip(shifts(layer), layer.biases) { own[place] = mean[bias] }
      }
    }
    return own
  }

  /// Σ_j g[j] c[j] w[j]; adds scale · g ∘ w to the gradient of c.
  private func pullBackRow(
    _ g: UnsafeBufferPointer<Float>, _ w: UnsafeBufferPointer<Float>, scale: Float,
    columns: Range<Int>?, columnGradient: UnsafeMutableBufferPointer<Float>?
  ) -> Float {
    var sum: Float = 0
    guard let columns, let columnGradient else {
      for j in g.indices { sum = Relaxed.multiplyAdd(g[j], w[j], sum) }
      return sum
    }
    values.withUnsafeBufferPointer { values in
      let c = UnsafeBufferPointer(rebasing: values[columns])
      for j in g.indices {
        let product = g[j] * w[j]
        sum = Relaxed.multiplyAdd(product, c[j], sum)
        columnGradient[j] = Relaxed.multiplyAdd(scale, product, columnGradient[j])
      }
    }
    return sum
  }

  /// The gradient with respect to one member's parameters: a_m[i] c_m[j] ∂W̄[i, j], a_m[i] ∂b̄[i].
  ///
  /// - Parameters:
  ///   - member: by number.
  ///   - mean: ∂W̄ and ∂b̄.
  ///   - factor: of the member's weights, as last merged.
  /// - Returns: laid out as the member.
  func memberGradient(_ member: Int, from mean: [Float], factor: Float) -> [Float] {
    var result = [Float](repeating: 0, count: mean.count)
    result.withUnsafeMutableBufferPointer { result in
      mean.withUnsafeBufferPointer { mean in
        for layer in layers {
          for row in 0..<layer.outputs {
            let a = values[rowWeights(member, layer).lowerBound + row] * factor
            let place = layer.weights.lowerBound + row * layer.inputs
            let range = place..<place + layer.inputs
            addRow(
              UnsafeBufferPointer(rebasing: mean[range]), scale: a,
              columns: columnWeights(member, layer),
              to: UnsafeMutableBufferPointer(rebasing: result[range]))
            result[layer.biases.lowerBound + row] = a * mean[layer.biases.lowerBound + row]
          }
        }
      }
    }
    return result
  }

  /// Adds to a, c and t.
  mutating func move(by change: [Float], scale: Float) {
    accumulate(change, scale: scale, into: &values)
  }

  /// Moves a, c and t one step of Adam.
  mutating func step(learningRate: Float) {
    optimizer.step(&values, gradient: gradient, learningRate: learningRate)
  }
}
