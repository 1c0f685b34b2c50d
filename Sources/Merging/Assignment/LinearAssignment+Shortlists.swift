/// The columns worth most to each row when it was last read whole.
///
/// Prices only rise, and rounding is monotone, so a column off the list stays worth at most the row's
/// cutoff: whoever finds something better on the list need not look elsewhere.
struct Shortlists {
  /// Places on a list; only ties fill it, twenty-two columns are usual.
  static let capacity = 64

  private let n: Int
  /// The listed columns, `capacity` places a row.
  private(set) var columns: [Int32]
  /// The similarities of the listed columns.
  private(set) var similarities: [Float]
  private var counts: [Int]
  /// The most that a column off the list is worth; zero before the first list, after column reduction.
  private(set) var cutoffs: [Double]
  /// What each column is worth to the row listed last; NaN, which is never more, beyond the last column.
  private(set) var worths: [Double]
  private var found: [Int32]

  init(n: Int) {
    self.n = n
    columns = Array(repeating: 0, count: n * Self.capacity)
    similarities = Array(repeating: 0, count: n * Self.capacity)
    counts = Array(repeating: 0, count: n)
    cutoffs = Array(repeating: 0, count: n)
    worths = Array(repeating: .nan, count: (n + 15) / 16 * 16)
    found = Array(repeating: 0, count: worths.count + 1)
  }

  func places(of row: Int) -> Range<Int> {
    row * Self.capacity..<row * Self.capacity + counts[row]
  }

  /// What the best listed column is worth to a row, −∞ if there is none.
  func best(_ row: Int, prices: [Double]) -> Double {
    var best = -Double.infinity
    for place in places(of: row) {
      let worth = Double(similarities[place]) - prices[Int(columns[place])]
      if worth > best { best = worth }
    }
    return best
  }

  /// Reads a row whole, and lists its best columns in order of their indices.
  ///
  /// The cutoff is the smallest of the largest worths of eight groups of columns, those of equal index
  /// modulo 8: some 22 of random numbers are above it, and no sorting is needed to find it.
  mutating func list(_ row: Int, similarity: [Float], prices: [Double]) {
    let start = row * n
    computeWorths(similarity: similarity, start: start, prices: prices)
    let maxima = groupMaxima(worths)
    var cutoff = maxima.min()
    var count = select(worths, atLeast: cutoff, into: &found)
    if count > Self.capacity {
      let isCrowded = found[..<count].count { worths[Int($0)] > cutoff } > Self.capacity
      if isCrowded {
        cutoff = maxima.max()
        count = select(worths, atLeast: cutoff, into: &found)
      }
      count = keepBest(of: count, cutoff: cutoff)
    }
    cutoffs[row] = cutoff
    counts[row] = count
    let first = row * Self.capacity
    for k in 0..<count {
      columns[first + k] = found[k]
      similarities[first + k] = similarity[start + Int(found[k])]
    }
  }

  private mutating func computeWorths(similarity: [Float], start: Int, prices: [Double]) {
    var worths = self.worths.mutableSpan
    let similarity = similarity.span
    let prices = prices.span
    for column in prices.indices {
      worths[column] = Double(similarity[start + column]) - prices[column]
    }
  }

  /// Drops ties with the cutoff, those of highest index, until the found columns fit a list.
  private mutating func keepBest(of count: Int, cutoff: Double) -> Int {
    var ties = Self.capacity - found[..<count].count { worths[Int($0)] > cutoff }
    var kept = 0
    for k in 0..<count {
      let isTied = worths[Int(found[k])] == cutoff
      if isTied && ties <= 0 { continue }
      if isTied { ties -= 1 }
      found[kept] = found[k]
      kept += 1
    }
    return kept
  }
}

/// The largest of a multiple of sixteen numbers at places that are equal modulo 8, NaN set aside.
private func groupMaxima(_ x: [Double]) -> SIMD8<Double> {
  var maxima = SIMD16<Double>(repeating: -.infinity)
  x.withUnsafeBytes { bytes in
    for offset in stride(from: 0, to: bytes.count, by: 128) {
      let values = bytes.loadUnaligned(fromByteOffset: offset, as: SIMD16<Double>.self)
      maxima.replace(with: values, where: values .> maxima)
    }
  }
  return maxima.lowHalf.replacing(with: maxima.highHalf, where: maxima.highHalf .> maxima.lowHalf)
}

/// Writes the places of the numbers that are at least a cutoff, in order, and returns how many.
///
/// - Parameters:
///   - x: a multiple of eight numbers.
///   - cutoff: what is looked for.
///   - places: room for one more than the numbers.
/// - Returns: how many places were written.
private func select(_ x: [Double], atLeast cutoff: Double, into places: inout [Int32]) -> Int {
  var count = 0
  let end = x.count
  x.withUnsafeBytes { bytes in
    var places = places.mutableSpan
    for start in stride(from: 0, to: end, by: 8) {
      let values = bytes.loadUnaligned(fromByteOffset: 8 * start, as: SIMD8<Double>.self)
      guard any(values .>= cutoff) else { continue }
      // Written always and kept if it counts: a branch here would be mispredicted every time.
      for lane in 0..<8 {
        places[count] = Int32(truncatingIfNeeded: start + lane)
        count += values[lane] >= cutoff ? 1 : 0
      }
    }
  }
  return count
}
