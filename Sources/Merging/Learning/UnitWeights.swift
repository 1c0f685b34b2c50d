import Networks
import RealModule
import Tensors

/// A mean of members in which every unit of the merged network has its own weights of the members' units, learned.
///
/// For a layer with weights W and biases b, of members lined up already:
///
///     W̄[i, j] = Σ_m a_m[i] c_m[j] W_m[i, j],   b̄[i] = Σ_m a_m[i] b_m[i] + t[i]
///
/// with a for the layer's own units and c for the units it reads, where those are hidden; each layer has its own. It
/// starts as the plain mean: a = 1/M, c = 1, t = 0. Where the members' units agree only in part, averaging takes from a
/// unit's variance and gives a compromise between its members; a can give the variance back, as REPAIR does from statistics
/// (Jordan et al. 2023), or lean towards the member whose unit serves best. M (n + n') + n numbers are learned for a
/// layer of n units that reads n', against n n' parameters.
///
/// A team shares the work by rows of layers, in parts that the shapes alone decide.
struct UnitWeights: Sendable {
  /// A layer with parameters, and where its numbers lie among ``values``.
  private struct Rows: Sendable {
    let count: Int
    let weights: [TensorLayout]
    let biases: [TensorLayout]
    /// Where a of member 0 starts, and how far member 1's is from it.
    let a: Int
    /// The same of c, and how many there are; nil where the layer reads no hidden units.
    let c: (start: Int, count: Int)?
    let t: Int
    /// Of each column of the weights the unit that it reads, where a unit has several: a kernel's pixels, or an image's.
    let units: [Int]?
  }

  /// Some rows of a layer, the share of one worker.
  private struct Part: Sendable {
    let layer: Int
    let rows: Range<Int>
  }

  private let layers: [Rows]
  private let parts: [Part]
  private let memberCount: Int
  /// How many a, and how many c, a member has.
  private let (aStride, cStride): (Int, Int)

  /// a of all members, c of all members, and t.
  private(set) var values: [Float]
  private(set) var gradient: [Float]
  private var optimizer: Adam

  /// The most numbers of a member that a part has: 200 KiB of each member.
  ///
  /// 784 × 512 weights make eight equal parts.
  private static let partSize = 51_200

  init(_ graph: Graph, members: Int) {
    memberCount = members
    let nodes = graph.nodes.indices.filter { !graph.tensors(of: $0).isEmpty }
    let rows = nodes.map { graph.tensors(of: $0).map { $0.shape[0] }.max() ?? 0 }
    let columns = nodes.map { graph.columns(of: $0) }
    let inputs = columns.map { $0.map { graph.symmetry.groups[$0.group].count } }
    let (aTotal, cTotal) = (rows.reduce(0, +), inputs.reduce(0) { $0 + ($1 ?? 0) })
    (aStride, cStride) = (aTotal, cTotal)
    var (a, c) = (0, members * aTotal)
    layers = nodes.enumerated().map { place, node in
      defer {
        a += rows[place]
        c += inputs[place] ?? 0
      }
      let tensors = graph.tensors(of: node)
      return Rows(
        count: rows[place], weights: tensors.filter { $0.role != .bias },
        biases: tensors.filter { $0.role == .bias }, a: a,
        c: inputs[place].map { (c, $0) }, t: members * (aTotal + cTotal) + a,
        units: columns[place].flatMap { $0.units.count > (inputs[place] ?? 0) ? $0.units : nil })
    }
    parts = layers.enumerated().flatMap { index, layer in
      let size = layer.weights.reduce(0) { $0 + $1.range.count }
      let count = min(layer.count, max(1, (size + Self.partSize - 1) / Self.partSize))
      return (0..<count).map {
        Part(layer: index, rows: $0 * layer.count / count..<($0 + 1) * layer.count / count)
      }
    }
    values =
      Array(repeating: 1 / Float(members), count: members * aTotal)
      + Array(repeating: 1, count: members * cTotal) + Array(repeating: 0, count: aTotal)
    gradient = Array(repeating: 0, count: values.count)
    optimizer = Adam(count: values.count)
  }

  private func a(_ layer: Rows, _ member: Int) -> Int { layer.a + member * aStride }

  private func c(_ layer: Rows, _ member: Int) -> Range<Int>? {
    layer.c.map { $0.start + member * cStride..<$0.start + member * cStride + $0.count }
  }

  /// c of a member, column by column of a layer's weights; nil where the layer reads no hidden units.
  private func columnWeights(_ layer: Rows, _ member: Int) -> [Float]? {
    guard let range = c(layer, member) else { return nil }
    return layer.units?.map { values[range.lowerBound + $0] } ?? Array(values[range])
  }

  // MARK: - The mean

  /// The weighted mean.
  ///
  /// - Parameters:
  ///   - members: the parameters of each, lined up.
  ///   - factors: of each member's weights.
  ///   - mean: overwritten; laid out as the members.
  ///   - team: who shares the rows.
  /// - Throws: what the team's messages throw.
  func merge(
    _ members: [[Float]], factors: [Float], into mean: inout [Float], with team: any Team
  ) throws {
    let merged = try team.map(parts.count, phase: "share means") {
      merge(parts[$0], members, factors)
    }
    mean.withUnsafeMutableBufferPointer { mean in
      for (part, values) in zip(parts, merged) {
        var start = 0
        for tensor in layers[part.layer].weights + layers[part.layer].biases {
          let range = tensor.range(ofRows: part.rows)
          values.withUnsafeBufferPointer { values in
            _ = UnsafeMutableBufferPointer(rebasing: mean[range])
              .update(fromContentsOf: values[start..<start + range.count])
          }
          start += range.count
        }
      }
    }
  }

  /// The mean's rows of a part, tensor by tensor.
  private func merge(_ part: Part, _ members: [[Float]], _ factors: [Float]) -> [Float] {
    let layer = layers[part.layer]
    let count = (layer.weights + layer.biases).reduce(0) { $0 + $1.range(ofRows: part.rows).count }
    return [Float](unsafeUninitializedCapacity: count) { out, initialized in
      out.update(repeating: 0)
      let columnWeights = members.indices.map { self.columnWeights(layer, $0) }
      var start = 0
      for tensor in layer.weights {
        let columns = tensor.columns
        for row in part.rows {
          let target = UnsafeMutableBufferPointer(rebasing: out[start..<start + columns])
          let place = tensor.range.lowerBound + row * columns
          for (member, parameters) in members.enumerated() {
            let scale = values[a(layer, member) + row] * factors[member]
            parameters.withUnsafeBufferPointer { parameters in
              addRow(
                UnsafeBufferPointer(rebasing: parameters[place..<place + columns]), scale: scale,
                columns: columnWeights[member], to: target)
            }
          }
          start += columns
        }
      }
      for tensor in layer.biases {
        for row in part.rows {
          var bias = values[layer.t + row]
          for (member, parameters) in members.enumerated() {
            let scale = values[a(layer, member) + row] * factors[member]
            bias += scale * parameters[tensor.range.lowerBound + row]
          }
          out[start] = bias
          start += 1
        }
      }
      initialized = count
    }
  }

  /// sum ← sum + scale · c ∘ row.
  private func addRow(
    _ row: UnsafeBufferPointer<Float>, scale: Float, columns: [Float]?,
    to sum: UnsafeMutableBufferPointer<Float>
  ) {
    guard let columns else {
      for j in sum.indices { sum[j] = Relaxed.multiplyAdd(scale, row[j], sum[j]) }
      return
    }
    columns.withUnsafeBufferPointer { c in
      for j in sum.indices { sum[j] = Relaxed.multiplyAdd(scale * c[j], row[j], sum[j]) }
    }
  }

  // MARK: - The gradient

  /// Takes the gradient with respect to the mean, and keeps that with respect to a, c and t.
  ///
  /// ∂a_m[i] = Σ_j ∂W̄[i, j] c_m[j] W_m[i, j] + ∂b̄[i] b_m[i], ∂c_m[j] = Σ_i ∂W̄[i, j] a_m[i] W_m[i, j], ∂t[i] = ∂b̄[i]
  ///
  /// - Parameters:
  ///   - mean: ∂W̄ and ∂b̄, laid out as the members.
  ///   - members: as last merged.
  ///   - factors: as last merged.
  ///   - team: who shares the rows; what rows add to ∂c is added in the order of the parts.
  /// - Throws: what the team's messages throw.
  mutating func pullBack(
    _ mean: [Float], _ members: [[Float]], factors: [Float], with team: any Team
  ) throws {
    gradient = pulledBack(
      try team.map(parts.count, phase: "share gradients of unit weights") {
        [self] in pullBack(parts[$0], mean, members, factors)
      }, of: mean)
  }

  /// The gradient with respect to a, c and t, of all parts, on this worker alone; arguments as of `pullBack`.
  func gradient(of mean: [Float], _ members: [[Float]], factors: [Float]) -> [Float] {
    pulledBack(parts.map { pullBack($0, mean, members, factors) }, of: mean)
  }

  /// Takes a gradient that was computed elsewhere.
  mutating func set(gradient: [Float]) {
    precondition(gradient.count == values.count)
    self.gradient = gradient
  }

  /// The gradient with respect to a, c and t, of what each part gives.
  private func pulledBack(_ found: [[Float]], of mean: [Float]) -> [Float] {
    var gradient = [Float](repeating: 0, count: values.count)
    for (part, own) in zip(parts, found) {
      let layer = layers[part.layer]
      var start = 0
      for member in 0..<memberCount {
        for row in part.rows {
          gradient[a(layer, member) + row] = own[start]
          start += 1
        }
        if let columns = c(layer, member) {
          for j in columns {
            gradient[j] += own[start]
            start += 1
          }
        }
      }
      for tensor in layer.biases {
        for row in part.rows { gradient[layer.t + row] = mean[tensor.range.lowerBound + row] }
      }
    }
    return gradient
  }

  /// Of each member in turn, ∂a of a part's rows and what they add to ∂c.
  private func pullBack(
    _ part: Part, _ mean: [Float], _ members: [[Float]], _ factors: [Float]
  ) -> [Float] {
    let layer = layers[part.layer]
    let columnCount = layer.c?.count ?? 0
    let each = part.rows.count + columnCount
    var result = [Float](repeating: 0, count: memberCount * each)
    // Where a unit has several columns their gradients are added up at the end.
    var ofColumns = [Float](repeating: 0, count: layer.units?.count ?? 0)
    result.withUnsafeMutableBufferPointer { result in
      for (member, parameters) in members.enumerated() {
        let start = member * each
        let own = UnsafeMutableBufferPointer(
          rebasing: result[start + part.rows.count..<start + each])
        let columnWeights = columnWeights(layer, member)
        ofColumns.withUnsafeMutableBufferPointer { ofColumns in
          ofColumns.update(repeating: 0)
          let columnGradient = layer.c == nil ? nil : layer.units == nil ? own : ofColumns
          for (place, row) in part.rows.enumerated() {
            let scale = values[a(layer, member) + row] * factors[member]
            var sum: Float = 0
            for tensor in layer.weights {
              let columns = tensor.columns
              let range =
                tensor.range.lowerBound + row * columns..<tensor.range.lowerBound
                + (row + 1) * columns
              sum += mean.withUnsafeBufferPointer { mean in
                parameters.withUnsafeBufferPointer { parameters in
                  pullBackRow(
                    UnsafeBufferPointer(rebasing: mean[range]),
                    UnsafeBufferPointer(rebasing: parameters[range]), scale: scale,
                    columns: columnWeights, columnGradient: columnGradient)
                }
              }
            }
            for tensor in layer.biases {
              let bias = tensor.range.lowerBound + row
              sum += mean[bias] * parameters[bias]
            }
            result[start + place] = factors[member] * sum
          }
          if let units = layer.units {
            for (column, unit) in units.enumerated() { own[unit] += ofColumns[column] }
          }
        }
      }
    }
    return result
  }

  /// Σ_j g[j] c[j] w[j]; adds scale · g ∘ w to the gradient of c.
  private func pullBackRow(
    _ g: UnsafeBufferPointer<Float>, _ w: UnsafeBufferPointer<Float>, scale: Float,
    columns: [Float]?, columnGradient: UnsafeMutableBufferPointer<Float>?
  ) -> Float {
    var sum: Float = 0
    guard let columns, let columnGradient else {
      for j in g.indices { sum = Relaxed.multiplyAdd(g[j], w[j], sum) }
      return sum
    }
    columns.withUnsafeBufferPointer { c in
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
          let columnWeights = columnWeights(layer, member)
          for row in 0..<layer.count {
            let a = values[a(layer, member) + row] * factor
            for tensor in layer.weights {
              let range = tensor.range(ofRows: row..<row + 1)
              addRow(
                UnsafeBufferPointer(rebasing: mean[range]), scale: a, columns: columnWeights,
                to: UnsafeMutableBufferPointer(rebasing: result[range]))
            }
            for tensor in layer.biases {
              let bias = tensor.range.lowerBound + row
              result[bias] = a * mean[bias]
            }
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

  /// What the steps to come depend on.
  var state: [LearnerState.Array] {
    [
      .init("unit weights", values), .init("unit first", optimizer.first),
      .init("unit second", optimizer.second), .init("unit steps", [Float(optimizer.steps)]),
    ]
  }

  mutating func restore(_ state: LearnerState) throws(LearnerStateError) {
    let own = try state.array("unit weights", count: values.count)
    optimizer.restore(
      first: try state.array("unit first", count: values.count),
      second: try state.array("unit second", count: values.count),
      steps: Int(try state.array("unit steps", count: 1)[0]))
    values = own
  }
}

extension TensorLayout {
  /// Where some rows of the first axis lie in the block.
  func range(ofRows rows: Range<Int>) -> Range<Int> {
    range.lowerBound + rows.lowerBound * columns..<range.lowerBound + rows.upperBound * columns
  }
}
