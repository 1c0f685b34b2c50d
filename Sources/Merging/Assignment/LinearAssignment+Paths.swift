extension LinearAssignment {
  /// Matches the free rows, each by the cheapest path from it to a free column.
  mutating func augment() {
    var search = PathSearch(n: n)
    for row in 0..<n where columnOfRow[row] < 0 { search.augment(&self, from: row) }
  }
}

/// Dijkstra's search for the alternating path that gives up least, by the rows' shortlists.
///
/// A column off the list of a row in the tree is at least the row's `bound` away. The row is read whole
/// only when the search gets there, which it seldom does.
private struct PathSearch {
  /// A row whose columns off the list have not been reached.
  private struct OpenRow {
    let row: Int
    /// The distance of a column worth nothing.
    let base: Double
    let bound: Double
    /// Whether its list was made in this search.
    let isFresh: Bool
  }

  /// Of each column the length of the shortest path to it so far: ∞ if not reached, −∞ if final.
  private var distances: [Double]
  /// The row before each reached column.
  private var previousRow: [Int]
  private var frontier: Frontier
  private var openRows: [OpenRow] = []
  /// The columns whose distance is final.
  private var finished: [(column: Int, distance: Double)] = []
  /// The largest final distance.
  private var horizon = -Double.infinity
  /// The nearest free column and its distance.
  private var sink = -1
  private var sinkDistance = Double.infinity

  init(n: Int) {
    distances = Array(repeating: .infinity, count: n)
    previousRow = Array(repeating: -1, count: n)
    frontier = Frontier(n: n)
  }

  /// Matches one more row.
  mutating func augment(_ assignment: inout LinearAssignment, from start: Int) {
    search(&assignment, from: start)
    for (column, distance) in finished { assignment.prices[column] += sinkDistance - distance }
    var column = sink
    while true {
      let row = previousRow[column]
      let next = assignment.columnOfRow[row]
      assignment.match(row, column)
      if row == start { break }
      column = next
    }
    reset()
  }

  private mutating func search(_ assignment: inout LinearAssignment, from start: Int) {
    reachListed(assignment, from: start, base: 0, isFresh: false)
    while true {
      let (place, distance) = frontier.nearest()
      let open = openRows.indices.min { openRows[$0].bound < openRows[$1].bound }
      let bound = open.map { openRows[$0].bound } ?? .infinity
      if sinkDistance <= min(distance, bound) { return }
      if let open, bound <= distance {
        readWhole(openRows.remove(at: open), of: &assignment)
        continue
      }
      let column = frontier.remove(at: place)
      finished.append((column, distance))
      distances[column] = -.infinity
      horizon = distance
      let row = assignment.rowOfColumn[column]
      let base = distance + assignment.worth(of: column, to: row)
      reachListed(assignment, from: row, base: base, isFresh: false)
    }
  }

  private mutating func reachListed(
    _ assignment: borrowing LinearAssignment, from row: Int, base: Double, isFresh: Bool
  ) {
    for place in assignment.shortlists.places(of: row) {
      let column = Int(assignment.shortlists.columns[place])
      let worth = Double(assignment.shortlists.similarities[place]) - assignment.prices[column]
      reach(assignment, column, from: row, at: base - worth)
    }
    let bound = max(base - assignment.shortlists.cutoffs[row], horizon)
    if bound < sinkDistance {
      openRows.append(OpenRow(row: row, base: base, bound: bound, isFresh: isFresh))
    }
  }

  /// Lists a row anew, and reaches all of its columns if even the new list is too short.
  private mutating func readWhole(_ open: OpenRow, of assignment: inout LinearAssignment) {
    assignment.list(open.row)
    if !open.isFresh && open.base - assignment.shortlists.cutoffs[open.row] > open.bound {
      return reachListed(assignment, from: open.row, base: open.base, isFresh: true)
    }
    for column in 0..<assignment.n {
      let worth = assignment.shortlists.worths[column]
      reach(assignment, column, from: open.row, at: open.base - worth)
    }
  }

  @inline(__always)
  private mutating func reach(
    _ assignment: borrowing LinearAssignment, _ column: Int, from row: Int, at length: Double
  ) {
    // Rounding must not lead back before what is final.
    let length = length < horizon ? horizon : length
    let known = distances[column]
    guard length < known && length <= sinkDistance else { return }
    if assignment.rowOfColumn[column] < 0 {
      if length == sinkDistance && column > sink { return }
      sink = column
      sinkDistance = length
    } else {
      if length == sinkDistance { return }
      frontier.update(column, to: length, isNew: known == .infinity)
      distances[column] = length
    }
    previousRow[column] = row
  }

  private mutating func reset() {
    for (column, _) in finished { distances[column] = .infinity }
    for column in frontier.columns { distances[column] = .infinity }
    finished.removeAll(keepingCapacity: true)
    frontier.removeAll()
    openRows.removeAll(keepingCapacity: true)
    horizon = -.infinity
    sink = -1
    sinkDistance = .infinity
  }
}
