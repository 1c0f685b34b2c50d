import Merging
import Networks
import TestSupport
import Testing

@Suite struct SpreadTests {
  @Test func `the distance from the mean is the root mean square`() throws {
    let graph = try #require(Graph("1-1"))
    let networks = [[0, 3], [0, -3], [3, 0], [-3, 0]].map {
      Network(graph, parameters: $0)
    }
    #expect(distanceFromMean(of: networks) == 3)
    #expect(distanceFromMean(of: Array(networks.prefix(2))) == 3)
    #expect(distanceFromMean(of: [networks[0]]) == 0)
  }
}
