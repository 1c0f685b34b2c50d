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
  /// The moments of a node's outputs, of each network.
  func moments(of networks: [Network], at node: Int) throws -> [UnitMoments] {
    let sums = try sum(SampleStatistic(.moments, at: node, of: networks))
    let length = sums.count / networks.count
    return networks.indices.map {
      UnitMoments(sums: sums[$0 * length..<($0 + 1) * length], sampleCount: sampleCount)
    }
  }
}
