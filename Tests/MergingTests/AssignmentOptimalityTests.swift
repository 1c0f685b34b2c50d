import Networks
import Tensors
import TestSupport
import Testing

@testable import Merging

/// That assignments are optimal, by their own prices and by a plainer algorithm, on many kinds of
/// matrices.
@Suite struct AssignmentOptimalityTests {
  /// How the elements of a test matrix arise; each kind is hard for another part of the algorithm.
  enum Kind: String, CaseIterable, Sendable {
    case normal, uniform, negative
    case fewIntegers, manyIntegers, constant, constantRows, constantColumns
    case rankOne, lowRank, differentNorms
    case nearlyPermutation, nearlyPermutationSparse, hugeRange, nearlyEqual, banded
  }

  static let sizes = [1, 2, 3, 7, 8, 9, 15, 16, 17, 40, 64, 65, 66, 100, 150, 300]

  @Test(arguments: Kind.allCases, sizes)
  func `no column is worth more to a row than its own, which proves the assignment`(
    kind: Kind, n: Int
  ) {
    for seed in 0..<(n < 100 ? 4 : 2) {
      let similarity = matrix(kind, n, seed: seed)
      let assignment = LinearAssignment(solving: similarity)
      let tolerance = slackness(similarity, assignment)
      for row in 0..<n {
        let own = assignment.worth(of: assignment.columnOfRow[row], to: row)
        let best = (0..<n).map { assignment.worth(of: $0, to: row) }.max() ?? 0
        #expect(best - own <= tolerance, "row \(row) of seed \(seed)")
      }
      #expect(Set(assignment.columnOfRow) == Set(0..<n))
    }
  }

  @Test(arguments: Kind.allCases, sizes)
  func `the total is that of plain shortest augmenting paths`(kind: Kind, n: Int) {
    for seed in 0..<(n < 100 ? 4 : 2) {
      let similarity = matrix(kind, n, seed: seed)
      let assignment = LinearAssignment(solving: similarity)
      let own = total(similarity, assignment.columnOfRow)
      let plain = total(similarity, referenceAssignment(similarity))
      if kind == .fewIntegers || kind == .manyIntegers {
        #expect(own == plain, "seed \(seed)")
      } else {
        let tolerance = Double(n) * slackness(similarity, assignment)
        #expect(abs(own - plain) <= 2 * tolerance, "seed \(seed)")
      }
    }
  }

  @Test(arguments: [Kind.normal, .lowRank, .differentNorms], [40, 150, 300])
  func `where one assignment is best, it is found exactly`(kind: Kind, n: Int) {
    let similarity = matrix(kind, n, seed: 7)
    #expect(maximumAssignment(similarity).indices == referenceAssignment(similarity))
  }

  @Test(arguments: Kind.allCases, [1, 7, 40, 150])
  func `an assignment that starts from a similar one is optimal too`(kind: Kind, n: Int) {
    var random = RandomStream(seed: 5, "similar", n)
    var similarity = matrix(kind, n, seed: 0)
    var earlier = Permutation.identity(n)
    var prices: [Double] = []
    // From nothing, from the same matrix, from ones that change little, and from another altogether.
    for change in [0, 0, 0.01, 0.1, 1] as [Float] {
      let scale = change * (similarity.elements.map(abs).max() ?? 0)
      for i in similarity.elements.indices { similarity.elements[i] += scale * random.normal() }
      let assignment = LinearAssignment(solving: similarity)
      earlier = maximumAssignment(similarity, near: earlier, prices: &prices)
      let tolerance = Double(2 * n) * slackness(similarity, assignment)
      let expected = total(similarity, assignment.columnOfRow)
      #expect(abs(total(similarity, earlier.indices) - expected) <= tolerance, "\(change)")
    }
  }

  @Test func `an assignment that starts from a similar one does not take a NaN either`() async {
    await #expect(processExitsWith: .failure) {
      var prices = [1.0, 2]
      let similarity = Matrix(rows: 2, columns: 2, elements: [0, 1, .nan, 0])
      _ = maximumAssignment(similarity, near: .identity(2), prices: &prices)
    }
  }

  @Test(arguments: [63, 64, 65, 200, 300])
  func `equal similarities give the identity at sizes beyond a shortlist`(n: Int) {
    for value in [Float(0), -3.5, 1e30] {
      let equal = Matrix(rows: n, columns: n, repeating: value)
      #expect(maximumAssignment(equal) == .identity(n))
    }
  }

  @Test func `reordered rows have a reordered assignment`() {
    let n = 120
    let similarity = matrix(.differentNorms, n, seed: 3)
    var random = RandomStream(seed: 3, "rows")
    let order = random.permutation(of: n)
    var reordered = similarity
    for (place, row) in order.enumerated() {
      for column in 0..<n { reordered[place, column] = similarity[row, column] }
    }
    let expected = maximumAssignment(similarity).indices
    #expect(maximumAssignment(reordered).indices == order.map { expected[$0] })
  }

  @Test(arguments: [5, 16, 17, 100])
  func `a value that is not finite is found wherever it is`(n: Int) async {
    // In the vectorised part of a row and in its rest, hidden by larger values or not.
    for place in [0, n - 1, n * n / 2, n * n - 1] {
      await #expect(processExitsWith: .failure) { [n, place = place as Int] in
        var similarity = Matrix(rows: n, columns: n, repeating: 1)
        similarity.elements[place] = -.infinity
        _ = maximumAssignment(similarity)
      }
    }
  }

  /// How much more than its own another column may be worth to a row because of rounding.
  ///
  /// A price or a worth is the rounded sum of two numbers of at most `scale`, so it is off by 2⁻⁵³ · scale;
  /// each of at most n paths rounds a distance twice for either end of a pair.
  private func slackness(_ similarity: Matrix, _ assignment: LinearAssignment) -> Double {
    let largest = similarity.elements.map { abs(Double($0)) }.max() ?? 0
    let scale = largest + (assignment.prices.map(abs).max() ?? 0)
    return Double(4 * (similarity.rows + 1)) * 0x1p-53 * scale
  }

  private func total(_ similarity: Matrix, _ columns: [Int]) -> Double {
    columns.enumerated().reduce(0) { $0 + Double(similarity[$1.0, $1.1]) }
  }

  private func matrix(_ kind: Kind, _ n: Int, seed: Int) -> Matrix {
    var random = RandomStream(seed: UInt64(seed), kind.rawValue, n)
    let rows = (0..<n).map { _ in random.normal() }
    let columns = (0..<n).map { _ in random.normal() }
    let order = random.permutation(of: n)
    let factors = (0..<2 * n).map { _ in (0..<6).map { _ in random.normal() } }
    func product(_ row: Int, _ column: Int) -> Float {
      zip(factors[row], factors[n + column]).reduce(0) { $0 + $1.0 * $1.1 }
    }
    var result = Matrix(rows: n, columns: n)
    for row in 0..<n {
      for column in 0..<n {
        let isMatched = order[row] == column
        result[row, column] =
          switch kind {
          case .normal: random.normal()
          case .uniform: random.uniform()
          case .negative: -1 - 1000 * random.uniform()
          case .fewIntegers: Float(random.integer(below: 3))
          case .manyIntegers: Float(random.integer(below: 100) - 50)
          case .constant: -2.5
          case .constantRows: rows[row]
          case .constantColumns: columns[column]
          case .rankOne: rows[row] * columns[column]
          case .lowRank: product(row, column)
          case .differentNorms:
            (product(row, column) + random.normal()) * rows[row] * rows[row] * columns[column]
          case .nearlyPermutation: (isMatched ? 0.9 : 0) + 1e-3 * random.uniform()
          case .nearlyPermutationSparse: isMatched && random.uniform() < 0.9 ? 1 : 0
          case .hugeRange: random.normal() * Float.exp10(60 * random.uniform() - 30)
          case .nearlyEqual: 1 + Float.ulpOfOne * Float(random.integer(below: 4))
          case .banded: -Float(abs(row - column)) + 0.5 * random.normal()
          }
      }
    }
    return result
  }
}

extension Float {
  fileprivate static func exp10(_ exponent: Float) -> Float {
    var result: Float = 1
    for _ in 0..<Int(abs(exponent)) { result *= 10 }
    return exponent < 0 ? 1 / result : result
  }
}
