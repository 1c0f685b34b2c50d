import Networks
import Tensors
import Testing

@testable import Datasets

/// Members' own images.
@Suite struct ShardsTests {
  /// 400 images of 2 × 2, of 8 classes in turn; an image's first byte and second tell its place.
  private let dataset = try? Dataset(
    name: "numbered", pixels: (0..<400).flatMap { [UInt8($0 % 256), UInt8($0 / 256), 0, 0] },
    labels: (0..<400).map { UInt8($0 % 8) }, shape: ImageShape(height: 2, width: 2), classes: 8)

  private func shards(
    _ rule: ShardRule, _ members: Int, size: Int? = nil, seed: UInt64 = 1
  ) throws -> Shards {
    try Shards(try #require(dataset), rule: rule, members: members, size: size, seed: seed)
  }

  private func classes(_ indices: [Int]) -> Set<Int> { Set(indices.map { $0 % 8 }) }

  static let rules: [ShardRule] = [.iid, .dirichlet(0.3), .classes(2), .sizes(1)]

  @Test(arguments: rules)
  func `no image is in two shards, and a seed gives the same shards again`(rule: ShardRule) throws {
    // Two classes have no more than a quarter of the images.
    let size = rule == .classes(2) ? 20 : nil
    for members in [1, 3, 5] {
      let found = try shards(rule, members, size: size)
      let all = found.indices.flatMap { $0 }
      #expect(found.indices.count == members && Set(all).count == all.count)
      #expect(all.allSatisfy { (0..<400).contains($0) })
      #expect(found.indices.allSatisfy { $0 == $0.sorted() })
      #expect(all.count == (size ?? 400 / members) * members)
      #expect(try shards(rule, members, size: size) == found)
      if members > 1 { #expect(try shards(rule, members, size: size, seed: 2) != found) }
    }
  }

  @Test(arguments: rules) func `shards have the size that was asked for`(rule: ShardRule) throws {
    let found = try shards(rule, 4, size: 30).indices.map(\.count)
    if case .sizes = rule {
      #expect(found.reduce(0, +) == 120 && Set(found).count > 1)
    } else {
      #expect(found == [30, 30, 30, 30])
    }
  }

  @Test func `classes are dealt out so that each has takers`() throws {
    let found = try shards(.classes(2), 4, size: 20).indices.map(classes)
    #expect(found.allSatisfy { $0.count == 2 })
    #expect(found.reduce(into: Set()) { $0.formUnion($1) }.count == 8)
  }

  /// Σ_c (share of class c)², 1/8 where all classes are alike and 1 where there is one.
  private func skew(_ rule: ShardRule) throws -> Double {
    var sum = 0.0
    for seed in 0..<10 {
      for indices in try shards(rule, 4, size: 40, seed: UInt64(seed)).indices {
        for label in 0..<8 {
          let share = Double(indices.count { $0 % 8 == label }) / 40
          sum += share * share / 40
        }
      }
    }
    return sum
  }

  @Test func `the smaller the concentration the more the classes are skewed`() throws {
    let (even, some, much) = (
      try skew(.iid), try skew(.dirichlet(1)), try skew(.dirichlet(0.3))
    )
    #expect(even < 0.16 && some > 1.3 * even && much > 1.3 * some, "\(even), \(some), \(much)")
  }

  @Test(arguments: [0.1, 0.3, 5], [(2, 100), (4, 40), (8, 50), (7, 57)])
  func `skewed members together have an even sample`(alpha: Float, split: (Int, Int)) throws {
    let (members, size) = split
    let found = try shards(.dirichlet(alpha), members, size: size)
    #expect(found.indices.allSatisfy { $0.count == size })
    let all = Set(found.indices.flatMap { $0 })
    // The images that an even split deals out, to other members.
    #expect(all == Set(try shards(.iid, members, size: size).indices.flatMap { $0 }))
  }

  @Test func `whole numbers meet the sums of rows and columns`() {
    var random = RandomStream(seed: 3, "shares")
    for (rows, columns) in [(1, 3), (3, 1), (8, 10), (40, 7)] {
      let shares = (0..<rows).map { _ in
        random.dirichlet(columns, concentration: 0.2).map(Double.init)
      }
      var sums = [Int](repeating: 0, count: columns)
      for _ in 0..<rows * 13 { sums[random.integer(below: columns)] += 1 }
      let counts = Shards.fit(shares, rows: 13, columns: sums)
      #expect(counts.allSatisfy { $0.reduce(0, +) == 13 && $0.allSatisfy { $0 >= 0 } })
      #expect((0..<columns).allSatisfy { c in counts.reduce(0) { $0 + $1[c] } == sums[c] })
    }
  }

  @Test func `what cannot be dealt out is refused with what to do`() throws {
    func problem(_ rule: ShardRule, _ members: Int, size: Int? = nil) -> String {
      do {
        _ = try shards(rule, members, size: size)
        return ""
      } catch { return "\(error)" }
    }
    #expect(problem(.iid, 401).contains("401 shards of at least one need 401"))
    #expect(problem(.iid, 4, size: 101).contains("4 shards of 101 need 404"))
    #expect(problem(.classes(9), 2).contains("has 8 classes; --shards classes:9 asks for 9"))
    #expect(problem(.iid, 400).contains("has 1 images, all of class"))
    #expect(problem(.classes(2), 3).contains("classes of member 0 have fewer than 133 images left"))
    #expect(problem(.sizes(0.001), 20).contains("has no images"))
  }

  @Test func `rules are read as they are written`() {
    for rule in Self.rules + [.folders] { #expect(ShardRule(rule.description) == rule) }
    for text in ["", "iid:1", "dirichlet", "dirichlet:0", "dirichlet:x", "classes:1", "sizes:-1"] {
      #expect(ShardRule(text) == nil, "\(text)")
    }
  }

  // MARK: - Batches

  private func sharded(_ counts: [Int], owning owned: (Int) -> Bool = { _ in true }) throws
    -> ShardedImages
  {
    let dataset = try #require(dataset)
    let normalization = try #require(Normalization("0,0.003921569"))
    var end = 0
    let shards = counts.enumerated().map { member, count -> Images? in
      defer { end += count }
      guard owned(member) else { return nil }
      return Images(
        dataset.subset(Array(end..<end + count), named: "shard"), normalization: normalization)
    }
    return ShardedImages(shards, counts: counts, features: 4)
  }

  @Test(arguments: [[50, 50, 50], [7, 120, 1, 40], [9]], [16, 7, 1000])
  func `an epoch shows each image once, each batch its share of every shard`(
    counts: [Int], batchSize: Int
  ) throws {
    var source = ShardedBatches(
      try sharded(counts), batchSize: batchSize, isFlipping: false, seed: 3, purpose: "test")
    let total = counts.reduce(0, +)
    #expect(source.isSharded && source.sampleCount == total)
    for epoch in 1...2 {
      source.startEpoch(epoch)
      var seen: [Int] = []
      for index in 0..<source.batchesPerEpoch {
        let parts = source.parts(ofBatch: index)
        #expect(
          parts.count == counts.count && parts.last?.upperBound == source.count(ofBatch: index))
        for (shard, rows) in parts.enumerated() {
          // Within one image of the shard's share.
          let share = Double(counts[shard]) / Double(source.batchesPerEpoch)
          #expect(abs(Double(rows.count) - share) <= 1)
          guard !rows.isEmpty else { continue }
          var batch = Batch(capacity: rows.count, features: 4)
          source.fill(&batch, with: index, rows: rows)
          #expect(batch.count == rows.count)
          for row in 0..<batch.count {
            let place =
              Int(batch.inputs[4 * row].rounded()) + 256 * Int(batch.inputs[4 * row + 1].rounded())
            #expect(batch.labels[row] == place % 8)
            let first = counts[..<shard].reduce(0, +)
            #expect((first..<first + counts[shard]).contains(place))
            seen.append(place)
          }
        }
      }
      #expect(seen.sorted() == Array(0..<total))
    }
  }

  @Test func `batches of many small shards are of one size`() throws {
    let counts = Array(repeating: 4, count: 100)
    let source = ShardedBatches(
      try sharded(counts), batchSize: 16, isFlipping: false, seed: 3, purpose: "test")
    let sizes = (0..<source.batchesPerEpoch).map { source.count(ofBatch: $0) }
    #expect(sizes.reduce(0, +) == 400 && sizes.allSatisfy { (14...18).contains($0) }, "\(sizes)")
  }

  @Test func `a worker fills its own part as one who has all does`() throws {
    let counts = [30, 20, 25]
    var all = ShardedBatches(
      try sharded(counts), batchSize: 16, isFlipping: true, seed: 3, purpose: "test")
    var own = ShardedBatches(
      try sharded(counts) { $0 == 1 }, batchSize: 16, isFlipping: true, seed: 3, purpose: "test")
    all.startEpoch(2)
    own.startEpoch(2)
    for index in 0..<all.batchesPerEpoch {
      let rows = all.parts(ofBatch: index)[1]
      #expect(own.parts(ofBatch: index)[1] == rows)
      var (a, b) = (Batch(capacity: 16, features: 4), Batch(capacity: 16, features: 4))
      all.fill(&a, with: index, rows: rows)
      own.fill(&b, with: index, rows: rows)
      #expect(a.inputs == b.inputs && a.labels == b.labels && a.count == b.count)
    }
  }

  @Test func `views are the images and, where they are flipped, their mirror images`() throws {
    let dataset = try Dataset(
      name: "one", pixels: [0, 51, 102, 255], labels: [0], shape: ImageShape(height: 2, width: 2),
      classes: 2)
    let normalization = try #require(Normalization("0,1"))
    for isFlipping in [false, true] {
      let views = Images(dataset, normalization: normalization, isFlipping: isFlipping).views
      let rows = views.map { view -> [Float] in
        var inputs = [Float](repeating: 0, count: 4)
        view.write(0..<1, into: &inputs)
        return inputs.map { ($0 * 255).rounded() }
      }
      let expected: [[Float]] = [[0, 51, 102, 255], [51, 0, 255, 102]]
      #expect(rows == Array(expected.prefix(isFlipping ? 2 : 1)))
      #expect(views.allSatisfy { $0.labels == [0] })
    }
  }
}
