import Foundation
import Merging
import Networks
import Tensors
import TestSupport
import Testing

/// Linear assignment, against SciPy and against trying everything.
@Suite struct AssignmentTests {
  @Test func `assignments are SciPy's where one is best, as good as SciPy's where several are`()
    throws
  {
    let fixture = try Fixture("assignment")
    let names = fixture.file.tensors.map(\.name).filter { $0.hasSuffix(".similarity") }
      .map { String($0.dropLast(".similarity".count)) }
    #expect(names.count == 60)
    for name in names {
      let columns = try fixture.integers("\(name).columns")
      let similarity = Matrix(
        rows: columns.count, columns: columns.count,
        elements: try fixture.floats("\(name).similarity"))
      let assignment = maximumAssignment(similarity)
      if name.hasPrefix("case") { #expect(assignment.indices == columns, "\(name)") }
      let objective = try fixture.doubles("\(name).objective")[0]
      #expect(abs(total(similarity, assignment) - objective) < 1e-9, "\(name)")
    }
  }

  @Test(arguments: 1...7, 0..<4)
  func `no other assignment is better`(n: Int, seed: Int) {
    for isTied in [false, true] {
      let values = normals(n * n, seed: 10 * n + seed).map { isTied ? $0.rounded() : $0 }
      let similarity = Matrix(rows: n, columns: n, elements: values)
      let own = total(similarity, maximumAssignment(similarity))
      let best = orders(n).map { total(similarity, Permutation($0)) }.max() ?? 0
      #expect(abs(own - best) < 1e-9)
    }
  }

  @Test(arguments: [1, 2, 5, 40])
  func `ties go to the lowest index`(n: Int) {
    for value in [Float(0), -3.5, 1e30] {
      let equal = Matrix(rows: n, columns: n, repeating: value)
      #expect(maximumAssignment(equal) == .identity(n))
    }
  }

  @Test func `an assignment is the same every time`() {
    let similarity = Matrix(
      rows: 30, columns: 30, elements: normals(900, seed: 1).map { $0.rounded() })
    let first = maximumAssignment(similarity)
    for _ in 0..<5 { #expect(maximumAssignment(similarity) == first) }
  }

  @Test(arguments: [1, 10, 100])
  func `the assignment of a permutation's matrix is the permutation`(n: Int) {
    var random = RandomStream(seed: UInt64(n), "permutation")
    let p = Permutation(random.permutation(of: n))
    #expect(maximumAssignment(p.matrix) == p)
  }

  @Test func `similarities of very different sizes are no trouble`() {
    let similarity = Matrix(
      rows: 3, columns: 3, elements: [1e30, 1e-30, -1e30, 1e30, 2e-30, 0, -1e30, 0, 1])
    let own = total(similarity, maximumAssignment(similarity))
    #expect(own >= (orders(3).map { total(similarity, Permutation($0)) }.max() ?? 0) - 1e14)
    #expect(maximumAssignment(Matrix(rows: 0, columns: 0)) == .identity(0))
  }

  @Test func `a NaN is a precondition failure`() async {
    await #expect(processExitsWith: .failure) {
      _ = maximumAssignment(Matrix(rows: 2, columns: 2, elements: [0, 1, .nan, 0]))
    }
  }

  @Test func `an infinity is a precondition failure`() async {
    await #expect(processExitsWith: .failure) {
      _ = maximumAssignment(Matrix(rows: 2, columns: 2, elements: [0, 1, -.infinity, 0]))
    }
  }

  @Test func `a matrix that is not square is a precondition failure`() async {
    await #expect(processExitsWith: .failure) {
      _ = maximumAssignment(Matrix(rows: 2, columns: 3))
    }
  }

  private func total(_ similarity: Matrix, _ assignment: Permutation) -> Double {
    assignment.indices.enumerated().reduce(0) { $0 + Double(similarity[$1.0, $1.1]) }
  }

  /// All orders of the numbers below n.
  private func orders(_ n: Int) -> [[Int]] {
    guard n > 0 else { return [[]] }
    return orders(n - 1).flatMap { order in
      (0..<n).map { place in
        var longer = order
        longer.insert(n - 1, at: place)
        return longer
      }
    }
  }
}
