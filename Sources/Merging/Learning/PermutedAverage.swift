import Networks
import Tensors

/// The mean of members whose hidden units are mixed by matrices, and its derivative.
///
/// Each group of units g of member m has a matrix P_{m,g}. A tensor whose rows are units of g and whose columns are units of
/// h becomes Σ_m w_m P_{m,g} W_m P_{m,h}ᵀ, one with rows alone Σ_m w_m P_{m,g} b_m, with shares w_m = 1/M unless
/// others are set, or with learned weights of each unit (`UnitWeights`). Member 0 and what no group numbers keep the
/// identity. The weights are merged first and one network is run, so a step costs two products a tensor and
/// member, whatever the batch. Where a unit has several columns of a row, as a kernel's pixels, they are mixed alike.
struct PermutedAverage {
  let members: [Network]
  let parallelism: Parallelism

  /// Each member's share in the mean; they sum to one.
  var shares: [Float]

  /// The learned weights of each unit, if there are any.
  private(set) var unitWeights: UnitWeights?

  /// The merged network, as of the last ``merge(_:)``.
  var network: Network

  /// A tensor, and the groups that number its rows and its columns.
  private struct Mixed {
    let tensor: TensorLayout
    let rows: Int?
    let columns: Int?
    /// How many columns each unit has, where a group numbers them.
    let block: Int
  }

  /// Where the members' numbers lie while they are mixed, and the members' there.
  private let order: UnitsLast
  private let blocks: [[Float]]

  private let tensors: [Mixed]

  /// With ``unitWeights``, the members' parameters as mixed; empty without.
  private var mixed: [[Float]] = []

  /// W_m P_{m,h}ᵀ, [member][tensor]; nil where no group numbers the columns, and W itself is meant.
  private var rightProducts: [[Matrix?]]

  private let team: ThreadTeam

  init(_ members: [Network], threads: Int = 1, unitWeights: UnitWeights? = nil) {
    self.unitWeights = unitWeights
    if unitWeights != nil { mixed = members.map(\.parameters) }
    self.members = members
    shares = members.map { _ in 1 / Float(members.count) }
    parallelism = .tiled(threads: threads)
    team = ThreadTeam(threads: threads)
    network = members[0]
    let graph = members[0].graph
    let tensors = graph.tensors.map { tensor in
      let columns = tensor.role == .weight ? graph.columns(of: tensor.node)?.group : nil
      return Mixed(
        tensor: tensor, rows: graph.symmetry.group(of: tensor, axis: 0), columns: columns,
        block: columns.map { tensor.columns / graph.symmetry.groups[$0].count } ?? 1)
    }
    self.tensors = tensors
    let order = UnitsLast(
      tensors.map {
        ($0.tensor.range, $0.tensor.columns / $0.block, $0.block)
      })
    self.order = order
    blocks = members.map { order.unitsLast($0.parameters) }
    rightProducts = members.map { _ in
      tensors.map { mixed in
        mixed.columns.map { _ in
          Matrix(
            rows: mixed.tensor.shape[0] * mixed.block,
            columns: mixed.tensor.columns / mixed.block)
        }
      }
    }
  }

  /// Recomputes the merged network.
  ///
  /// - Parameter permutations: [member − 1][group].
  /// - Throws: what sharing the units' weights throws; threads throw nothing.
  mutating func merge(_ permutations: [[Matrix]]) throws {
    guard let unitWeights else {
      var sum: [Float] = []
      swap(&sum, &network.parameters)
      scale(blocks[0], by: shares[0], into: &sum)
      for number in 1..<members.count {
        add(number, mixedBy: permutations[number - 1], scale: shares[number], to: &sum)
      }
      sum = order.unitsFirst(sum)
      swap(&sum, &network.parameters)
      return
    }
    for number in 1..<members.count {
      var block: [Float] = []
      swap(&block, &mixed[number])
      block.withUnsafeMutableBufferPointer { $0.update(repeating: 0) }
      add(number, mixedBy: permutations[number - 1], scale: 1, to: &block)
      block = order.unitsFirst(block)
      swap(&block, &mixed[number])
    }
    try unitWeights.merge(mixed, factors: factors, into: &network.parameters, with: team)
  }

  /// The shares over equal ones, which the units' weights are multiplied by.
  private var factors: [Float] { shares.map { $0 * Float(members.count) } }

  /// Takes the merged network's gradient on to the units' weights.
  mutating func pullBack(_ gradient: [Float]) throws {
    let factors = factors
    try unitWeights?.pullBack(gradient, mixed, factors: factors, with: team)
  }

  /// Moves the units' weights, if there are any; ``merge(_:)`` is to follow.
  mutating func stepUnitWeights(learningRate: Float) {
    unitWeights?.step(learningRate: learningRate)
  }

  /// Goes on from units' weights that were saved, if there are any.
  mutating func restore(
    _ state: LearnerState, _ permutations: [[Matrix]]
  ) throws(LearnerStateError) {
    try unitWeights?.restore(state)
    do {
      try merge(permutations)
    } catch {
      throw LearnerStateError("the merge could not be computed: \(error)")
    }
  }

  /// The mean of members mixed by permutations, with the units' weights as learned.
  func average(of permuted: [Network]) throws -> Network {
    var result = network
    if let unitWeights {
      try unitWeights.merge(
        permuted.map(\.parameters), factors: factors, into: &result.parameters, with: team)
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
    for (index, mixed) in tensors.enumerated() {
      let (tensor, rows) = (mixed.tensor, mixed.tensor.shape[0])
      if let columns = mixed.columns {
        withElements(of: number, mixed, asRows: rows * mixed.block) { w in
          own[columns].withView { p in
            rightProducts[number][index]?.withMutableView {
              multiply(w, p.transposed, into: $0, parallelism: parallelism)
            }
          }
        }
      }
      if tensor.shape.count == 1 {
        // A vector by a vector's product.
        var bias = Array(blocks[number][tensor.range])
        if let group = mixed.rows {
          let unmixed = bias
          own[group].withView { multiply($0, unmixed, into: &bias) }
        }
        for (i, value) in zip(tensor.range, bias) { sum[i] += share * value }
        continue
      }
      withRightProduct(number, index, asRows: rows) { right in
        sum.withUnsafeMutableBufferPointer { all in
          let target = UnsafeMutableBufferPointer(rebasing: all[tensor.range])
          guard let group = mixed.rows else {
            return right.accumulate(into: target, scale: share)
          }
          own[group].withView {
            multiply(
              $0, right, into: MutableMatrixView(target, rows: rows, columns: tensor.columns),
              scale: share, keep: 1, parallelism: parallelism)
          }
        }
      }
    }
  }

  /// The gradients with respect to the matrices of one member, [group], from the merged network's.
  func gradients(member number: Int, permutations: [[Matrix]], from gradient: [Float]) -> [Matrix] {
    // Without weights of its own, a member's gradient is the merged network's times its share.
    let own = unitWeights?.memberGradient(number, from: gradient, factor: factors[number])
    let ordered = order.unitsLast(own ?? gradient)
    return permutations[number - 1].indices.map { group in
      self.gradient(
        member: number, group: group, permutations: permutations, from: ordered,
        scale: own == nil ? shares[number] : 1)
    }
  }

  /// The gradient of the loss with respect to one matrix, from that with respect to the member as mixed, ∂W.
  ///
  /// A tensor whose rows are the group's gives s ∂W (W P_hᵀ)ᵀ, or s ∂b bᵀ; one whose columns are gives s ∂Wᵀ P_g W.
  ///
  /// - Parameters:
  ///   - number: the member, from 1.
  ///   - group: whose matrix.
  ///   - permutations: as last merged.
  ///   - gradient: ∂W and ∂b, units last.
  ///   - share: s; the member's share if the gradient is the merged network's own.
  /// - Returns: ∂L/∂P, n × n.
  private func gradient(
    member number: Int, group: Int, permutations: [[Matrix]], from gradient: [Float],
    scale share: Float
  ) -> Matrix {
    let units = members[number].graph.symmetry.groups[group].count
    var result = Matrix(rows: units, columns: units)
    gradient.withUnsafeBufferPointer { gradient in
      func view(_ tensor: TensorLayout, asRows rows: Int) -> MatrixView {
        MatrixView(
          UnsafeBufferPointer(rebasing: gradient[tensor.range]), rows: rows,
          columns: tensor.range.count / rows)
      }
      result.withMutableView { result in
        // Vectors first; their products write where others add.
        for mixed in tensors where mixed.tensor.shape.count == 1 && mixed.rows == group {
          withElements(of: number, mixed, asRows: units) {
            multiply(
              view(mixed.tensor, asRows: units), $0.transposed, into: result, scale: share, keep: 1)
          }
        }
        for (index, mixed) in tensors.enumerated() where mixed.tensor.shape.count > 1 {
          let count = mixed.tensor.shape[0]
          if mixed.rows == group {
            withRightProduct(number, index, asRows: count) { right in
              multiply(
                view(mixed.tensor, asRows: count), right.transposed, into: result, scale: share,
                keep: 1, parallelism: parallelism)
            }
          }
          guard mixed.columns == group else { continue }
          let own = view(mixed.tensor, asRows: count * mixed.block)
          guard let rows = mixed.rows else {
            withElements(of: number, mixed, asRows: count * mixed.block) { w in
              multiply(
                own.transposed, w, into: result, scale: share, keep: 1, parallelism: parallelism)
            }
            continue
          }
          var left = Matrix(rows: count, columns: mixed.tensor.columns)
          withElements(of: number, mixed, asRows: count) { w in
            permutations[number - 1][rows].withView { p in
              left.withMutableView { multiply(p, w, into: $0, parallelism: parallelism) }
            }
          }
          left = Matrix(
            rows: count * mixed.block, columns: mixed.tensor.columns / mixed.block,
            elements: left.elements)
          left.withView {
            multiply(
              own.transposed, $0, into: result, scale: share, keep: 1, parallelism: parallelism)
          }
        }
      }
    }
    return result
  }

  /// Lends W_m P_{m,h}ᵀ, or W_m where no group numbers the columns.
  private func withRightProduct(
    _ number: Int, _ index: Int, asRows rows: Int, _ body: (MatrixView) -> Void
  ) {
    guard let product = rightProducts[number][index] else {
      return withElements(of: number, tensors[index], asRows: rows, body)
    }
    product.elements.withUnsafeBufferPointer {
      body(MatrixView($0, rows: rows, columns: $0.count / rows))
    }
  }

  /// Lends a member's tensor, units last, without a copy.
  private func withElements(
    of number: Int, _ mixed: Mixed, asRows rows: Int, _ body: (MatrixView) -> Void
  ) {
    blocks[number].withUnsafeBufferPointer {
      let own = UnsafeBufferPointer(rebasing: $0[mixed.tensor.range])
      body(MatrixView(own, rows: rows, columns: own.count / rows))
    }
  }
}

/// Tensors whose rows have several columns a unit, put so that the units lie side by side: rows × units × block as rows × block × units.
struct UnitsLast {
  /// Where a tensor lies, how many units a row has, and how many columns each.
  private let tensors: [(range: Range<Int>, units: Int, block: Int)]

  init(_ tensors: [(range: Range<Int>, units: Int, block: Int)]) {
    self.tensors = tensors.filter { $0.block > 1 }
  }

  /// A block of parameters as networks have it, with units last.
  func unitsLast(_ block: [Float]) -> [Float] { turned(block) { ($0.units, $0.block) } }

  /// A block with units last, as networks have it.
  func unitsFirst(_ block: [Float]) -> [Float] { turned(block) { ($0.block, $0.units) } }

  /// Each row's matrix transposed.
  private func turned(
    _ block: [Float], _ shape: ((range: Range<Int>, units: Int, block: Int)) -> (Int, Int)
  ) -> [Float] {
    guard !tensors.isEmpty else { return block }
    var result = block
    let block = block.span
    var out = result.mutableSpan
    for tensor in tensors {
      let (height, width) = shape(tensor)
      for start in stride(
        from: tensor.range.lowerBound, to: tensor.range.upperBound, by: height * width)
      {
        for i in 0..<height {
          for j in 0..<width { out[start + j * height + i] = block[start + i * width + j] }
        }
      }
    }
    return result
  }
}
