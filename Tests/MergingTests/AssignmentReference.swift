import Networks
import Tensors

/// The assignment of rows to columns that maximises the total similarity, by the plain algorithm.
///
/// Shortest augmenting paths from no prices at all, as in Crouse (2016) and SciPy: the reference for
/// the library's faster one.
func referenceAssignment(_ similarity: Matrix) -> [Int] {
  var assignment = ShortestAugmentingPaths(
    cost: similarity.elements.map { -Double($0) }, n: similarity.rows)
  for row in 0..<similarity.rows { assignment.augment(from: row) }
  return assignment.columnOfRow
}

/// The state of the algorithm: a partial matching, and prices that prove it optimal.
private struct ShortestAugmentingPaths {
  let n: Int
  let cost: [Double]
  var columnOfRow: [Int]
  var rowOfColumn: [Int]
  var rowPrice: [Double]
  var columnPrice: [Double]

  // Scratch of one search.
  var distance: [Double]
  var previousRow: [Int]
  var isRowScanned: [Bool]

  init(cost: [Double], n: Int) {
    self.n = n
    self.cost = cost
    columnOfRow = Array(repeating: -1, count: n)
    rowOfColumn = Array(repeating: -1, count: n)
    rowPrice = Array(repeating: 0, count: n)
    columnPrice = Array(repeating: 0, count: n)
    distance = Array(repeating: 0, count: n)
    previousRow = Array(repeating: -1, count: n)
    isRowScanned = Array(repeating: false, count: n)
  }

  /// Matches one more row, by the cheapest path from it to a free column.
  mutating func augment(from start: Int) {
    var isColumnScanned = [Bool](repeating: false, count: n)
    for i in 0..<n {
      distance[i] = .infinity
      isRowScanned[i] = false
    }
    var row = start
    var shortest = 0.0
    var sink = -1
    while sink < 0 {
      isRowScanned[row] = true
      var nearest = -1
      let base = shortest - rowPrice[row]
      for column in 0..<n where !isColumnScanned[column] {
        let length = base + cost[row * n + column] - columnPrice[column]
        if length < distance[column] {
          distance[column] = length
          previousRow[column] = row
        }
        // A free column wins a tie: the path may end there.
        if nearest < 0 || distance[column] < distance[nearest]
          || (distance[column] == distance[nearest] && rowOfColumn[column] < 0
            && rowOfColumn[nearest] >= 0)
        {
          nearest = column
        }
      }
      shortest = distance[nearest]
      isColumnScanned[nearest] = true
      if rowOfColumn[nearest] < 0 { sink = nearest } else { row = rowOfColumn[nearest] }
    }

    rowPrice[start] += shortest
    for row in 0..<n where isRowScanned[row] && row != start {
      rowPrice[row] += shortest - distance[columnOfRow[row]]
    }
    for column in 0..<n where isColumnScanned[column] {
      columnPrice[column] -= shortest - distance[column]
    }
    var column = sink
    while true {
      let row = previousRow[column]
      rowOfColumn[column] = row
      (columnOfRow[row], column) = (column, columnOfRow[row])
      if row == start { return }
    }
  }
}
