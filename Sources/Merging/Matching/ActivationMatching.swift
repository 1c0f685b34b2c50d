import Networks
import Tensors

extension MergeMethod {
  public static let activationMatching = MergeMethod(
    "activation-matching",
    "the mean after matching each member's units to member 0's by their activations",
    needs: .trainingData, isShared: true
  ) { _ in ActivationMatching(.activations) }

  public static let weightActivationMatching = MergeMethod(
    "weight-activation-matching",
    "the mean after matching each member's units to member 0's by weights and activations",
    needs: .trainingData, isShared: true
  ) { _ in ActivationMatching(.weightsAndActivations) }
}

/// Matches every member's hidden units to the first's by how they respond to training samples (Li, Yosinski, Clune, Lipson &
/// Hopcroft 2016), also together with their weights.
///
/// With C_l[i, j] the correlation (Pearson's) of unit i of member 0's group l with unit j of member m's, over all training
/// samples as the layers that mix these units read them (in a perceptron after the ReLU; the mean where several do), 0 if
/// either unit never varies, and n the number of hidden units of all groups:
///
/// - ``Evidence/activations`` maximises Σ_i C_l[i, π_l(i)] for each group by itself, a linear assignment.
/// - ``Evidence/weightsAndActivations`` maximises cos(θ_0, π(θ_m)) + 1/n Σ_l Σ_i C_l[i, π_l(i)], the cosine of the angle
///   between all parameters and the mean correlation of matched pairs, by weight matching's coordinate ascent.
///
/// Activations tell units apart where weights do not: members that started from the same initial weights still hold much
/// of them, and weight matching leaves every unit where it is. Starts from how the members are lined up already.
public struct ActivationMatching: MergeStep, Sendable {
  /// What a pair of units is judged by.
  public enum Evidence: Sendable {
    case activations
    case weightsAndActivations
  }

  public let evidence: Evidence

  /// The method.
  public init(_ evidence: Evidence) { self.evidence = evidence }

  private var name: String {
    evidence == .activations ? "activation-matching" : "weight-activation-matching"
  }

  public func apply(to state: inout MergeState, with resources: MergeResources) throws {
    let sums = try resources.sums(for: name, of: state.graph)
    let aligned = state.alignedMembers
    let comparable = state.comparableMembers
    var alignment = state.alignment
    let seed = resources.seed
    for some in Self.portions(of: aligned) {
      let correlations = try sums.correlations(of: aligned[some], with: aligned[0], for: name)
      let found = try resources.team.map(some.count, phase: "share assignments") { place in
        let member = some.lowerBound + place
        return try match(
          member, comparable[member], to: comparable[0], by: correlations[place], seed: seed
        ).flatMap(\.indices)
      }
      let alone = Alignment(flat: Array(found.joined()), members: some.count, state.graph.symmetry)
      for (place, member) in some.enumerated() {
        alignment[member] = alone[place].after(alignment[member])
      }
      resources.onStep(some.upperBound - 1, aligned.count - 1)
    }
    state.align(by: alignment)
  }

  /// The members but the first, so many at a time that their correlations stay within some 8 MiB a shard.
  private static func portions(of members: [Network]) -> [Range<Int>] {
    let graph = members[0].graph
    let numbers = graph.symmetry.groups.reduce(0) {
      $0 + $1.count * $1.count * graph.activations(of: $1).count
    }
    let size = max(1, (1 << 20) / max(numbers, 1))
    return stride(from: 1, to: members.count, by: size).map {
      $0..<min($0 + size, members.count)
    }
  }

  private func match(
    _ member: Int, _ network: Network, to reference: Network, by correlations: [Matrix],
    seed: UInt64
  ) throws(MergeError) -> [Permutation] {
    guard evidence == .weightsAndActivations else { return correlations.map(maximumAssignment) }
    func norm(_ network: Network) -> Double {
      network.parameters.reduce(0) { $0 + Double($1) * Double($1) }.squareRoot()
    }
    let norms = norm(network) * norm(reference)
    let share = 1 / Float(network.graph.symmetry.unitCount)
    var random = RandomStream(seed: seed, "weight activation matching", member)
    return try WeightMatcher(network.graph).match(
      network, to: reference, scale: norms > 0 ? Float(min(1 / norms, 1e38)) : 1,
      adding: correlations.map { correlation in
        var scaled = correlation
        scale(correlation.elements, by: share, into: &scaled.elements)
        return scaled
      }, random: &random)
  }
}

extension SampleSums {
  /// The correlations of a network's hidden units with a reference's, [network][group], the reference's by row.
  fileprivate func correlations(
    of networks: ArraySlice<Network>, with reference: Network, for method: String
  ) throws -> [[Matrix]] {
    let graph = reference.graph
    let nodes = graph.symmetry.groups.map(graph.activations)
    let looked = nodes.flatMap(\.self)
    let statistic = SampleStatistic(.products, at: looked, of: [reference] + networks)
    let sums = looked.isEmpty ? [] : try sum(statistic)
    var sites = zip(looked, statistic.sites).makeIterator()
    var result: [[Matrix]] = networks.map { _ in [] }
    for (group, nodes) in zip(graph.symmetry.groups, nodes) {
      let units = group.count
      var means = networks.map { _ in Matrix(rows: units, columns: units) }
      for _ in nodes {
        guard let (node, site) = sites.next() else { continue }
        guard sums[site.range].allSatisfy(\.isFinite) else {
          throw MergeError(
            "\(method): activations of \(graph.nodes[node].name) are infinite in a"
              + " member: its weights are huge", isAboutWeights: true)
        }
        let moments = (0...networks.count).map {
          UnitMoments(site, sums, network: $0, sampleCount: sampleCount)
        }
        for place in means.indices {
          let start = site.range.lowerBound + (moments.count * 2 + place * units) * units
          let found = correlation(
            sums[start..<start + units * units], moments[0], moments[place + 1],
            sampleCount: sampleCount * site.pixels)
          if nodes.count == 1 {
            means[place] = found
          } else {
            accumulate(
              found.elements, scale: 1 / Float(nodes.count), into: &means[place].elements)
          }
        }
      }
      for place in result.indices { result[place].append(means[place]) }
    }
    return result
  }
}

/// Pearson's correlation of every unit of one layer with every unit of another.
///
/// - Parameters:
///   - products: Σ x_i y_j, row by row.
///   - x: the moments of the rows' units.
///   - y: those of the columns' units.
///   - sampleCount: how many samples were summed over.
/// - Returns: 0 in the row or column of a unit that varies by less than 10⁻⁶.
private func correlation(
  _ products: ArraySlice<Double>, _ x: UnitMoments, _ y: UnitMoments, sampleCount: Int
) -> Matrix {
  func factors(_ moments: UnitMoments) -> [Double] {
    moments.deviations.map { $0 < UnitMoments.deadDeviation ? 0 : 1 / $0 }
  }
  let (rowFactors, columnFactors) = (factors(x), factors(y))
  let columns = columnFactors.count
  var result = Matrix(rows: rowFactors.count, columns: columns)
  var out = result.elements.mutableSpan
  let products = products.span
  for i in rowFactors.indices {
    for j in 0..<columns {
      let covariance = products[i * columns + j] / Double(sampleCount) - x.means[i] * y.means[j]
      out[i * columns + j] = Float(covariance * rowFactors[i] * columnFactors[j])
    }
  }
  return result
}
