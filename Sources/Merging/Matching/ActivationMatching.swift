import Networks

extension MergingMethod {
  public static let activationMatching = MergingMethod(
    name: "activation-matching",
    summary: "the mean after matching each member's units to member 0's by their activations",
    needsData: true
  ) { _ in ActivationMatching(.activations) }

  public static let weightActivationMatching = MergingMethod(
    name: "weight-activation-matching",
    summary: "the mean after matching each member's units to member 0's by weights and activations",
    needsData: true
  ) { _ in ActivationMatching(.weightsAndActivations) }
}

/// Matches every member's hidden units to the first's by how they respond to training samples (Li, Yosinski, Clune, Lipson &
/// Hopcroft 2016), also together with their weights.
///
/// With C_l[i, j] the correlation (Pearson's) of unit i of member 0's hidden layer l with unit j of member m's, after the ReLU
/// and over all training samples, 0 if either unit never varies, and n the number of hidden units of all layers:
///
/// - ``Evidence/activations`` maximises Σ_i C_l[i, π_l(i)] for each layer by itself, a linear assignment.
/// - ``Evidence/weightsAndActivations`` maximises cos(θ_0, π(θ_m)) + 1/n Σ_l Σ_i C_l[i, π_l(i)], the cosine of the angle
///   between all parameters and the mean correlation of matched pairs, by weight matching's coordinate ascent.
///
/// Activations tell units apart where weights do not: members that started from the same initial weights still hold much
/// of them, and weight matching leaves every unit where it is. Starts from how the members are lined up already.
public struct ActivationMatching: Merger, Sendable {
  /// What a pair of units is judged by.
  public enum Evidence: Sendable {
    case activations
    case weightsAndActivations
  }

  public let evidence: Evidence

  /// The method.
  public init(_ evidence: Evidence) { self.evidence = evidence }

  public func apply(to merge: inout Merge, in context: MergeContext) throws {
    let sums = try context.sums(
      for: evidence == .activations ? "activation-matching" : "weight-activation-matching")
    let aligned = merge.alignedMembers
    var permutations = merge.permutations
    let seed = context.seed
    for group in Self.groups(of: aligned) {
      let correlations = try sums.correlations(of: aligned[group], with: aligned[0])
      let found = concurrentMap(group.count, threads: context.threads) { place in
        match(
          group.lowerBound + place, aligned[group.lowerBound + place], to: aligned[0],
          by: correlations[place], seed: seed)
      }
      for (member, found) in zip(group, found) {
        permutations[member] = zip(found, permutations[member]).map { $0.after($1) }
      }
      context.onStep(group.upperBound - 1, aligned.count - 1)
    }
    merge.align(by: permutations)
  }

  /// The members but the first, so many at a time that their correlations stay within some 8 MiB a layer and shard.
  private static func groups(of members: [Network]) -> [Range<Int>] {
    let width = members[0].architecture.hiddenWidths.max() ?? 1
    let size = max(1, (1 << 20) / (width * width))
    return stride(from: 1, to: members.count, by: size).map {
      $0..<min($0 + size, members.count)
    }
  }

  private func match(
    _ member: Int, _ network: Network, to reference: Network, by correlations: [Matrix],
    seed: UInt64
  ) -> [Permutation] {
    guard evidence == .weightsAndActivations else { return correlations.map(maximumAssignment) }
    func norm(_ network: Network) -> Double {
      network.parameters.reduce(0) { $0 + Double($1) * Double($1) }.squareRoot()
    }
    let norms = norm(network) * norm(reference)
    let share = 1 / Float(network.architecture.hiddenWidths.reduce(0, +))
    var random = RandomStream(seed: seed, "weight activation matching", member)
    return WeightMatcher(network.architecture).match(
      network, to: reference, scale: norms > 0 ? Float(1 / norms) : 1,
      adding: correlations.map { correlation in
        var scaled = correlation
        scale(correlation.elements, by: share, into: &scaled.elements)
        return scaled
      }, random: &random)
  }
}

extension SampleSums {
  /// The correlations of a network's hidden units with a reference's, [network][hidden layer], the reference's by row.
  fileprivate func correlations(
    of networks: ArraySlice<Network>, with reference: Network
  ) throws -> [[Matrix]] {
    var result: [[Matrix]] = networks.map { _ in [] }
    for (layer, units) in reference.architecture.hiddenWidths.enumerated() {
      let sums = try sum(
        SampleStatistic(.activationProducts(layer: layer), of: [reference] + networks))
      let moments = (0...networks.count).map {
        UnitMoments(sums: sums[$0 * 2 * units..<($0 + 1) * 2 * units], sampleCount: sampleCount)
      }
      let products = moments.count * 2 * units
      for place in result.indices {
        let start = products + place * units * units
        result[place].append(
          correlation(
            sums[start..<start + units * units], moments[0], moments[place + 1],
            sampleCount: sampleCount))
      }
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
