import Networks

/// The mean and the standard deviation of each unit of a layer over training samples.
struct UnitMoments: Equatable, Sendable {
  var means: [Double]
  var deviations: [Double]

  /// A unit that varies less than this is dead: it is neither scaled nor correlated with any.
  static let deadDeviation = 1e-6

  /// The moments that Σ x and, after them, Σ x² of the units make.
  init(sums: ArraySlice<Double>, sampleCount: Int) {
    let units = sums.count / 2
    let count = Double(sampleCount)
    means = sums.prefix(units).map { $0 / count }
    deviations = zip(sums.dropFirst(units), means).map { square, mean in
      max(square / count - mean * mean, 0).squareRoot()
    }
  }

  private init(means: [Double], deviations: [Double]) {
    self.means = means
    self.deviations = deviations
  }

  /// The means of means and of standard deviations over networks.
  static func average(_ moments: some Collection<UnitMoments>) -> UnitMoments {
    func average(_ values: [[Double]]) -> [Double] {
      (0..<values[0].count).map { unit in
        values.reduce(0) { $0 + $1[unit] } / Double(values.count)
      }
    }
    return UnitMoments(
      means: average(moments.map(\.means)), deviations: average(moments.map(\.deviations)))
  }
}

extension SampleSums {
  /// The moments of a node's units, of each network.
  func moments(of networks: [Network], at node: Int) throws -> [UnitMoments] {
    try moments(of: networks, at: [node]).map { $0[0] }
  }

  /// The moments of the units of some nodes, [network][node], of one pass over the samples.
  func moments(of networks: [Network], at nodes: [Int]) throws -> [[UnitMoments]] {
    guard !nodes.isEmpty else { return networks.map { _ in [] } }
    let statistic = SampleStatistic(.moments, at: nodes, of: networks)
    let sums = try sum(statistic)
    return networks.indices.map { number in
      statistic.sites.map { UnitMoments($0, sums, network: number, sampleCount: sampleCount) }
    }
  }
}

extension UnitMoments {
  /// A network's moments at a site, out of sums that begin with those of all networks.
  init(_ site: SampleStatistic.Site, _ sums: [Double], network: Int, sampleCount: Int) {
    let start = site.range.lowerBound + network * 2 * site.units
    self.init(
      sums: sums[start..<start + 2 * site.units], sampleCount: sampleCount * site.pixels)
  }
}
