extension LinearAssignment {
  /// Matches most free rows by an auction (Bertsekas 1988): a row takes the column worth most to it, at
  /// a price that makes the second best as good, less a step ε; who had the column becomes free.
  ///
  /// The first ε is 0.4 of the mean spread of the shortlists, so that it is of the size of the gaps
  /// between similarities whatever their distribution, then a tenth of that, then zero. Measured at
  /// 512 to 2048: without steps, matching real layers takes four to seven times as long, though small
  /// random matrices take two thirds; a third step gains nothing; steps relative to the largest
  /// similarity are too long for uniform ones. Where many rows have ties for their best, as with few
  /// integers, there are no steps: they would fall between the values, and took two to three times
  /// as long.
  mutating func bid() {
    let free = (0..<n).filter { columnOfRow[$0] < 0 }
    guard !free.isEmpty else { return }
    var spread = 0.0
    var ties = 0
    for row in free {
      list(row)
      let choice = Choice(of: row, from: self)
      spread += choice.best - shortlists.cutoffs[row]
      ties += choice.best == choice.second ? 1 : 0
    }
    // Below eight columns a shortlist holds all, and its cutoff says nothing.
    let isStepped = spread.isFinite && 4 * ties < free.count
    let step = isStepped ? Self.firstStep * spread / Double(free.count) : 0
    for step in [step, Self.nextStep * step] where step > 0 {
      bid(step: step)
      release()
    }
    bid(step: 0)
  }

  private static let firstStep = 0.4
  private static let nextStep = 0.1
  /// Bids per row and round, to bound wars; paths do better on what is left.
  private static let patience = 20

  private mutating func bid(step: Double) {
    var patience = Self.patience * n
    for start in 0..<n where columnOfRow[start] < 0 {
      var row = start
      while row >= 0, patience > 0, let (column, price) = offer(of: row, step: step) {
        patience -= 1
        let owner = rowOfColumn[column]
        match(row, column)
        prices[column] = price
        if owner >= 0 { columnOfRow[owner] = -1 }
        row = owner
      }
    }
  }

  /// The column worth most to a row, and the most that the row would give for it plus a step.
  ///
  /// Where a bid would not raise the price, because of a tie, the free column of lowest index among the
  /// best listed, or nil if all are taken.
  private mutating func offer(of row: Int, step: Double) -> (column: Int, price: Double)? {
    var choice = Choice(of: row, from: self)
    if choice.second < shortlists.cutoffs[row] {
      list(row)
      choice = Choice(of: row, from: self)
    }
    let second = max(choice.second, shortlists.cutoffs[row])
    let price = Double(choice.similarity) - second + step
    if price > prices[choice.column] { return (choice.column, price) }
    return choice.freeColumn < 0 ? nil : (choice.freeColumn, prices[choice.freeColumn])
  }

  /// Frees the rows to which another column is worth more than their own.
  private mutating func release() {
    for row in 0..<n where columnOfRow[row] >= 0 {
      let column = columnOfRow[row]
      let own = worth(of: column, to: row)
      var best = shortlists.best(row, prices: prices)
      if max(own, best) < shortlists.cutoffs[row] {
        list(row)
        best = shortlists.best(row, prices: prices)
      }
      if own < best {
        columnOfRow[row] = -1
        rowOfColumn[column] = -1
      }
    }
  }
}

/// The best and the second best of a row's shortlist.
private struct Choice {
  var column = 0
  var similarity: Float = 0
  var best = -Double.infinity
  var second = -Double.infinity
  /// The first free column that is worth as much as the best, −1 for none.
  var freeColumn = -1

  init(of row: Int, from assignment: borrowing LinearAssignment) {
    for place in assignment.shortlists.places(of: row) {
      let candidate = Int(assignment.shortlists.columns[place])
      let value = assignment.shortlists.similarities[place]
      let worth = Double(value) - assignment.prices[candidate]
      if worth > best {
        second = best
        best = worth
        column = candidate
        similarity = value
        freeColumn = -1
      } else if worth > second {
        second = worth
      }
      if worth == best && freeColumn < 0 && assignment.rowOfColumn[candidate] < 0 {
        freeColumn = candidate
      }
    }
  }
}
