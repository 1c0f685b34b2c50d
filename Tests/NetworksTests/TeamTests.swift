import Networks
import Testing

/// A team of threads: parts in order, sums in a fixed order, errors for all.
@Suite struct TeamTests {
  @Test(arguments: 1...4)
  func `parts come in their order`(threads: Int) throws {
    let team = ThreadTeam(threads: threads)
    #expect((team.size, team.rank, team.threads) == (1, 0, threads))
    for count in [0, 1, 7, 40] {
      let parts = try team.map(count, phase: "test") { part in Array(repeating: part, count: part) }
      #expect(parts == (0..<count).map { Array(repeating: $0, count: $0) })
    }
    #expect((0..<4).map(team.worker(of:)) == [0, 0, 0, 0])
  }

  @Test(arguments: 1...4)
  func `sums are taken in the order of the parts`(threads: Int) throws {
    // 1 is lost beside 2⁵⁴, so the sum tells the order.
    let parts = [[1.0, 0x1p54], [0x1p54, 1], [-0x1p54, -0x1p54]]
    let sum = try ThreadTeam(threads: threads).sum(3, of: 2, phase: "test") { parts[$0] }
    #expect(sum == [0, 0])
    let other = try ThreadTeam(threads: threads).sum(3, of: 2, phase: "test") { parts[(2 - $0)] }
    #expect(other == [1, 0])
    #expect(try ThreadTeam(threads: threads).sum(0, of: 2, phase: "test") { _ in [] } == [0, 0])
  }

  @Test(arguments: 1...3)
  func `an error of any part is the team's`(threads: Int) {
    #expect(throws: Interruption.self) {
      _ = try ThreadTeam(threads: threads).map(5, phase: "test") { part -> [Int] in
        if part == 3 { throw Interruption() }
        return [part]
      }
    }
  }

  @Test func `parts of another length than the sum are a precondition failure`() async {
    await #expect(processExitsWith: .failure) {
      _ = try ThreadTeam().sum(2, of: 2, phase: "test") { _ in [1] }
    }
  }
}
