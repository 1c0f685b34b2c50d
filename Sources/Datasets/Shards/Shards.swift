import Tensors

/// Which images of a set each member has, where members share none.
public struct Shards: Equatable, Sendable {
  /// Places in the set, by member, ascending; no place is in two.
  public let indices: [[Int]]

  /// Deals a set's images out by keyed randomness.
  ///
  /// - Parameters:
  ///   - dataset: the set.
  ///   - rule: who gets what.
  ///   - members: how many shards.
  ///   - size: how many images a shard has, with `sizes` in the mean; nil to deal out all, but for a rest of fewer than
  ///     `members`.
  ///   - seed: the experiment's.
  /// - Throws: ``DataError`` if there are too few images, or a shard comes out without images or of one class.
  public init(
    _ dataset: Dataset, rule: ShardRule, members: Int, size: Int? = nil, seed: UInt64
  ) throws(DataError) {
    precondition(members > 0)
    let size = size ?? dataset.count / members
    guard size > 0, size <= dataset.count / members else {
      throw DataError(
        dataset.name,
        "has \(dataset.count) images; \(members) shards of "
          + (size > 0 ? "\(size)" : "at least one") + " need \(members * max(size, 1)):"
          + " ask for fewer --members or a smaller --shard-size")
    }
    if case .classes(let count) = rule, count > dataset.classes {
      throw DataError(
        dataset.name, "has \(dataset.classes) classes; --shards \(rule) asks for \(count) a member")
    }
    var deck = Deck(dataset, seed: seed)
    switch rule {
    case .folders: preconditionFailure("shards that lie in folders are not dealt out")
    case .iid, .sizes:
      var random = RandomStream(seed: seed, "shards")
      let order = random.permutation(of: dataset.count)
      let borders = Self.borders(rule, members: members, total: members * size, &random)
      indices = (0..<members).map { order[borders[$0]..<borders[$0 + 1]].sorted() }
    case .dirichlet(let concentration):
      let shares = (0..<members).map { member in
        var random = RandomStream(seed: seed, "shard classes", member)
        return random.dirichlet(dataset.classes, concentration: concentration).map(Double.init)
      }
      let pool = deck.draw(members * size)
      let counts = Self.fit(shares, rows: size, columns: pool.map(\.count))
      var next = [Int](repeating: 0, count: dataset.classes)
      indices = counts.map { row in
        row.enumerated().flatMap { label, count in
          defer { next[label] += count }
          return pool[label][next[label]..<next[label] + count]
        }.sorted()
      }
    case .classes(let count):
      var random = RandomStream(seed: seed, "shard classes")
      let order = random.permutation(of: dataset.classes)
      var shortage: Int?
      indices = (0..<members).map { member in
        var shares = [Float](repeating: 0, count: dataset.classes)
        for k in 0..<count { shares[order[(member * count + k) % dataset.classes]] = 1 }
        shortage = shortage ?? (deck.left(of: shares) < size ? member : nil)
        return deck.draw(size, shares: shares, &random).sorted()
      }
      if let shortage {
        throw DataError(
          dataset.name,
          "the \(count) classes of member \(shortage) have fewer than \(size) images left: ask for a smaller"
            + " --shard-size, or for more classes a member")
      }
    }
    for (member, places) in indices.enumerated() {
      try Self.requireSeveralClasses(
        places.map { dataset.labels[$0] }, dataset.name, "shard \(member) of --shards \(rule)",
        advice: ": try another --seed, a larger --shard-size, or a rule that skews less")
    }
  }

  /// Checks that a shard is something to learn from.
  ///
  /// - Parameters:
  ///   - labels: of its images.
  ///   - source: where the images are from.
  ///   - shard: what the shard is called.
  ///   - advice: what may help, behind a colon.
  /// - Throws: ``DataError`` if it has no images, or all are of one class.
  public static func requireSeveralClasses(
    _ labels: [UInt8], _ source: String, _ shard: String, advice: String = ""
  ) throws(DataError) {
    guard let first = labels.first else {
      throw DataError(source, "\(shard) has no images; a member needs some to learn from\(advice)")
    }
    guard labels.contains(where: { $0 != first }) else {
      throw DataError(
        source,
        "\(shard) has \(labels.count) images, all of class \(first); a member needs at least two classes"
          + " to learn from\(advice)")
    }
  }

  /// Whole numbers in the proportions of some shares, with given sums of rows and columns.
  ///
  /// Iterative proportional fitting (Deming & Stephan 1940; for squares Sinkhorn's iteration), and then rounding up where most was
  /// cut off.
  static func fit(_ shares: [[Double]], rows size: Int, columns: [Int]) -> [[Int]] {
    // None is zero, so that the sums can be met.
    var matrix = shares.map { $0.map { ($0 + 1e-6) * Double(size) } }
    for _ in 0..<1000 {
      for column in columns.indices {
        let sum = matrix.reduce(0) { $0 + $1[column] }
        for row in matrix.indices { matrix[row][column] *= Double(columns[column]) / sum }
      }
      var error = 0.0
      for row in matrix.indices {
        let sum = matrix[row].reduce(0, +)
        error = max(error, abs(sum - Double(size)))
        for column in columns.indices { matrix[row][column] *= Double(size) / sum }
      }
      if error < 0.01 { break }
    }
    var counts = matrix.map { $0.map { Int($0) } }
    var rowsLeft = counts.map { size - $0.reduce(0, +) }
    var columnsLeft = columns.indices.map { column in
      columns[column] - counts.reduce(0) { $0 + $1[column] }
    }
    // Rounding down after the last step over rows may leave a column over its sum.
    for column in columns.indices {
      for row in counts.indices where columnsLeft[column] < 0 && counts[row][column] > 0 {
        counts[row][column] -= 1
        rowsLeft[row] += 1
        columnsLeft[column] += 1
      }
    }
    let cells = matrix.indices.flatMap { row in columns.indices.map { (row, $0) } }
      .sorted { a, b in
        let (x, y) = (matrix[a.0][a.1], matrix[b.0][b.1])
        return (y - y.rounded(.down), a.0, a.1) < (x - x.rounded(.down), b.0, b.1)
      }
    for isLast in [false, true] {
      for (row, column) in cells {
        let most = min(rowsLeft[row], columnsLeft[column])
        let count = isLast ? most : min(most, 1)
        guard count > 0 else { continue }
        counts[row][column] += count
        rowsLeft[row] -= count
        columnsLeft[column] -= count
      }
    }
    return counts
  }

  /// Where each member's run of a shuffled set begins and ends.
  private static func borders(
    _ rule: ShardRule, members: Int, total: Int, _ random: inout RandomStream
  ) -> [Int] {
    guard case .sizes(let concentration) = rule else {
      return (0...members).map { $0 * (total / members) }
    }
    let shares = random.dirichlet(members, concentration: concentration)
    var sums = [0.0]
    for share in shares { sums.append(sums[sums.count - 1] + Double(share)) }
    return sums.map { Int((Double(total) * $0 / sums[members]).rounded()) }
  }
}

/// A set's images by class, shuffled, to draw from without putting back.
private struct Deck {
  private let order: [Int]
  private let labels: [UInt8]
  private var places: [[Int]]

  init(_ dataset: Dataset, seed: UInt64) {
    var random = RandomStream(seed: seed, "shards")
    order = random.permutation(of: dataset.count)
    labels = dataset.labels
    places = Array(repeating: [], count: dataset.classes)
    for place in order { places[Int(dataset.labels[place])].append(place) }
  }

  /// The first images of the shuffled set, by class.
  func draw(_ count: Int) -> [[Int]] {
    var drawn = [[Int]](repeating: [], count: places.count)
    for place in order.prefix(count) { drawn[Int(labels[place])].append(place) }
    return drawn
  }

  /// How many images there are of the classes with a share.
  func left(of shares: [Float]) -> Int {
    shares.indices.reduce(0) { $0 + (shares[$1] > 0 ? places[$1].count : 0) }
  }

  /// Draws images one by one: the class by its share among the classes that have some left, and then its next image.
  ///
  /// Where no class with a share has any left, all classes that have count alike.
  mutating func draw(_ count: Int, shares: [Float], _ random: inout RandomStream) -> [Int] {
    (0..<count).map { _ in
      var open = shares.indices.map { places[$0].isEmpty ? 0 : Double(shares[$0]) }
      if open.allSatisfy({ $0 <= 0 }) { open = places.map { $0.isEmpty ? 0 : 1 } }
      var left = Double(random.uniform()) * open.reduce(0, +)
      var chosen = open.lastIndex { $0 > 0 } ?? 0
      for (label, share) in open.enumerated() where share > 0 {
        if left < share {
          chosen = label
          break
        }
        left -= share
      }
      return places[chosen].removeLast()
    }
  }
}
