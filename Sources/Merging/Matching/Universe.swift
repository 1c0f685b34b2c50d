import Networks
import Tensors

/// Members on their way into one order of units, each mixed by doubly stochastic matrices, and the Frank–Wolfe steps
/// that bring them together.
///
/// With S = Σ_m π_m(θ_m) the gradient of F for a member is that of its similarity to S − π_m(θ_m), so a step
/// costs two products a group and member, not a pair of members. Vertices are permutations, so that everything
/// else is reordering and adding: no product with P is ever computed.
struct Universe {
  private let symmetry: Symmetry
  private let threads: Int
  private var members: [UniverseMember]

  /// F of ``C2M3`` at the matrices.
  private(set) var objective = 0.0

  /// Members as they are: every matrix is the identity.
  init(_ members: [Network], threads: Int) {
    symmetry = members[0].graph.symmetry
    self.threads = threads
    self.members = members.map { UniverseMember($0) }
    objective = matchingObjective(members)
  }

  /// The permutations [member][group] nearest to the matrices.
  var nearestPermutations: [[Permutation]] {
    concurrentMap(members.count, threads: threads) { [members] in
      members[$0].matrices.map(maximumAssignment)
    }
  }

  /// One step: towards the best permutations for the gradient, as far as F rises.
  mutating func step() {
    let (members, symmetry) = (members, symmetry)
    var sum = members[0].mixed
    for member in members.dropFirst() { accumulate(member.mixed, into: &sum) }
    let ways = concurrentMap(members.count, threads: threads) { [sum] number in
      members[number].way(in: sum, symmetry)
    }

    // π_m along the way is V + t L + t² Q, so F, half the square of the sum less the squares, has degree 4.
    var linear = [Float](repeating: 0, count: sum.count)
    var quadratic = linear
    for way in ways {
      accumulate(way.linear, into: &linear)
      accumulate(way.quadratic, into: &quadratic)
    }
    var coefficients = squareCoefficients(sum, linear, quadratic)
    for way in ways {
      for power in 0..<5 { coefficients[power] -= way.squareCoefficients[power] }
    }
    let polynomial = Polynomial(coefficients: coefficients.map { $0 / 2 })
    let t = polynomial.maximizer
    objective = polynomial(t)
    self.members = concurrentMap(members.count, threads: threads) { number in
      members[number].moved(along: ways[number], by: Float(t))
    }
  }
}

/// One member in a ``Universe``.
private struct UniverseMember {
  /// As it was given, W and b.
  let network: Network
  /// P_l of each group.
  var matrices: [Matrix]
  /// The assignment prices of the last vertex, and the vertex.
  var prices: [[Double]]
  var vertex: [Permutation]
  /// P_l W_l and P_l b_l.
  var rowsMixed: Network
  /// W_l P_{l−1}ᵀ, and b_l.
  var columnsMixed: Network
  /// P_l W_l P_{l−1}ᵀ and P_l b_l.
  var mixed: [Float]

  init(_ network: Network) {
    self.network = network
    vertex = network.graph.symmetry.identity
    matrices = vertex.map(\.matrix)
    prices = vertex.map { _ in [] }
    rowsMixed = network
    columnsMixed = network
    mixed = network.parameters
  }

  /// The way to the permutations that raise the similarity to all others most, to first order.
  ///
  /// ∂F/∂P_l = R_l (W_l P_{l−1}ᵀ)ᵀ + r_l b_lᵀ + R_{l+1}ᵀ P_{l+1} W_{l+1} with R, r the sum of the others.
  func way(in sum: [Float], _ symmetry: Symmetry) -> Way {
    var others = network
    others.parameters = sum
    accumulate(mixed, scale: -1, into: &others.parameters)
    var prices = prices
    let target = symmetry.groups.map { group in
      var gradient = Matrix(rows: group.count, columns: group.count)
      gradient.withMutableView { gradient in
        for place in group.places where !place.isBuffer {
          others.withUnits(of: place) { a in
            (place.axis == 0 ? columnsMixed : rowsMixed).withUnits(of: place) { b in
              multiply(a, b.transposed, into: gradient, keep: 1)
            }
          }
        }
      }
      return maximumAssignment(
        gradient, near: vertex[group.index], prices: &prices[group.index])
    }

    // With T the vertex, π at (1 − t) P + t T is (1 − t)² V + t (1 − t) X + t² Y for
    // V = P W Pᵀ, X = T W Pᵀ + P W Tᵀ and Y = T W Tᵀ.
    var linear = columnsMixed.permuted(by: target, axes: .rows).parameters
    accumulate(rowsMixed.permuted(by: target, axes: .columns).parameters, into: &linear)
    var quadratic = network.permuted(by: target).parameters
    accumulate(linear, scale: -1, into: &quadratic)
    accumulate(mixed, into: &quadratic)
    accumulate(mixed, scale: -2, into: &linear)
    return Way(
      vertex: target, prices: prices, linear: linear, quadratic: quadratic,
      squareCoefficients: Merging.squareCoefficients(mixed, linear, quadratic))
  }

  /// The member some way further.
  func moved(along way: Way, by t: Float) -> UniverseMember {
    var result = self
    result.vertex = way.vertex
    result.prices = way.prices
    for (layer, vertex) in way.vertex.enumerated() {
      scale(matrices[layer].elements, by: 1 - t, into: &result.matrices[layer].elements)
      for (row, column) in vertex.indices.enumerated() { result.matrices[layer][row, column] += t }
    }
    let vertex = way.vertex
    result.rowsMixed.parameters = interpolate(
      rowsMixed.parameters, network.permuted(by: vertex, axes: .rows).parameters, at: t)
    result.columnsMixed.parameters = interpolate(
      columnsMixed.parameters, network.permuted(by: vertex, axes: .columns).parameters, at: t)
    accumulate(way.linear, scale: t, into: &result.mixed)
    accumulate(way.quadratic, scale: t * t, into: &result.mixed)
    return result
  }
}

/// Where a member goes in a step: V + t `linear` + t² `quadratic` for t from 0 to 1, which is a vertex.
private struct Way {
  let vertex: [Permutation]
  let prices: [[Double]]
  let linear: [Float]
  let quadratic: [Float]
  /// Of ‖V + t linear + t² quadratic‖², by powers of t.
  let squareCoefficients: [Double]
}

/// The coefficients of ‖a + t b + t² c‖², by powers of t.
private func squareCoefficients(_ a: [Float], _ b: [Float], _ c: [Float]) -> [Double] {
  [dot(a, a), 2 * dot(a, b), dot(b, b) + 2 * dot(a, c), 2 * dot(b, c), dot(c, c)]
}
