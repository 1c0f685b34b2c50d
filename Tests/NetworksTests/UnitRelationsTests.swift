import Tensors
import Testing

@testable import Networks

/// Which axes number the same units: products, as flattening makes them, and segments, as concatenation does.
@Suite struct UnitRelationsTests {
  /// A run of units: count, offset, outer, block.
  struct Seen: Equatable {
    let count: Int
    let offset: Int
    let outer: Int
    let block: Int

    init(_ count: Int, offset: Int = 0, outer: Int = 1, block: Int = 1) {
      (self.count, self.offset, self.outer, self.block) = (count, offset, outer, block)
    }
  }

  @Test func `a fresh axis is one run of its own`() {
    var units = UnitRelations()
    let (a, b) = (units.axis(of: 5), units.axis(of: 5))
    #expect(seen(a, units) == [Seen(5)])
    #expect(variables(a, units) != variables(b, units))
    #expect(!isFixed(a, units))
  }

  @Test func `axes that are the same through others are the same`() {
    var units = UnitRelations()
    let axes = (0..<6).map { _ in units.axis(of: 4) }
    units.unify(axes[0], axes[1])
    units.unify(axes[3], axes[2])
    units.unify(axes[1], axes[2])
    units.unify(axes[0], axes[3])
    #expect(Set(axes[..<4].map { variables($0, units) }).count == 1)
    #expect(Set(axes.map { variables($0, units) }).count == 3)
    units.fix(axes[2])
    #expect(axes.map { isFixed($0, units) } == [true, true, true, true, false, false])
    // A pin is handed on to what is joined later, from either side.
    units.unify(axes[4], axes[0])
    #expect(isFixed(axes[4], units))
    #expect(!isFixed(axes[5], units))
  }

  @Test func `axes of other sizes are pinned, both`() {
    var units = UnitRelations()
    let (a, b, c) = (units.axis(of: 4), units.axis(of: 6), units.axis(of: 4))
    units.unify(a, b)
    #expect([a, b, c].map { isFixed($0, units) } == [true, true, false])
  }

  @Test func `an axis that is a product is split into its parts`() throws {
    var units = UnitRelations()
    let (whole, rows, columns) = (units.axis(of: 12), units.axis(of: 3), units.axis(of: 4))
    let product = try #require(units.product([rows, columns]))
    #expect(seen(product, units) == [Seen(3, block: 4), Seen(4, outer: 3)])
    units.unify(whole, product)
    #expect(seen(whole, units) == [Seen(3, block: 4), Seen(4, outer: 3)])
    #expect(variables(whole, units) == variables(rows, units) + variables(columns, units))
    #expect(!isFixed(whole, units))
    units.fix(columns)
    #expect(units.runs(whole).map(\.isFixed) == [false, true])
  }

  @Test func `a product of three is split one after another, whichever side it stands on`() throws {
    for isLeft in [true, false] {
      var units = UnitRelations()
      let whole = units.axis(of: 30)
      let parts = [2, 3, 5].map { units.axis(of: $0) }
      let product = try #require(units.product(parts))
      if isLeft { units.unify(product, whole) } else { units.unify(whole, product) }
      #expect(
        seen(whole, units) == [Seen(2, block: 15), Seen(3, outer: 2, block: 5), Seen(5, outer: 6)])
      #expect(variables(whole, units) == parts.flatMap { variables($0, units) })
    }
  }

  @Test func `products that are cut in other places share their finest parts`() throws {
    var units = UnitRelations()
    let a = [4, 3].map { units.axis(of: $0) }
    let b = [2, 6].map { units.axis(of: $0) }
    units.unify(try #require(units.product(a)), try #require(units.product(b)))
    #expect(seen(a[0], units) == [Seen(2, block: 2), Seen(2, outer: 2)])
    #expect(seen(b[1], units) == [Seen(2, block: 3), Seen(3, outer: 2)])
    #expect(variables(a[0], units)[0] == variables(b[0], units)[0])
    #expect(variables(a[0], units)[1] == variables(b[1], units)[0])
    #expect(variables(a[1], units)[0] == variables(b[1], units)[1])
    #expect(!isFixed(a[0], units) && !isFixed(b[1], units))
  }

  @Test func `products that fit in no way are pinned from where they part`() throws {
    var units = UnitRelations()
    let a = [5, 4, 3].map { units.axis(of: $0) }
    let b = [5, 6, 2].map { units.axis(of: $0) }
    units.unify(try #require(units.product(a)), try #require(units.product(b)))
    #expect(a.map { isFixed($0, units) } == [false, true, true])
    #expect(b.map { isFixed($0, units) } == [false, true, true])
    #expect(variables(a[0], units) == variables(b[0], units))
  }

  @Test func `parts of what was pinned are pinned`() throws {
    var units = UnitRelations()
    let (whole, parts) = (units.axis(of: 6), [2, 3].map { units.axis(of: $0) })
    units.fix(whole)
    units.unify(try #require(units.product(parts)), whole)
    #expect(parts.allSatisfy { isFixed($0, units) })
  }

  @Test func `a product that meets itself turned round is one set of units`() throws {
    var units = UnitRelations()
    let (a, b) = (units.axis(of: 4), units.axis(of: 2))
    units.unify(try #require(units.product([a, b])), try #require(units.product([b, a])))
    #expect(Set(variables(a, units) + variables(b, units)).count == 1)
    #expect(seen(a, units) == [Seen(2, block: 2), Seen(2, outer: 2)])
  }

  @Test func `axes of one unit split nothing off`() throws {
    var units = UnitRelations()
    let (a, one, b) = (units.axis(of: 4), units.axis(of: 1), units.axis(of: 4))
    units.unify(a, try #require(units.product([one, b])))
    units.unify(a, try #require(units.product([b, one])))
    #expect(seen(a, units) == [Seen(4)])
    #expect(variables(a, units) == variables(b, units))
    #expect(!isFixed(a, units))
    let (p, q) = (units.axis(of: 1), units.axis(of: 1))
    units.unify(p, q)
    #expect(variables(p, units) == variables(q, units))
    #expect(!isFixed(p, units))
  }

  @Test(arguments: 0..<200)
  func `unifying products in any order ends, and leaves their sizes`(seed: Int) throws {
    var random = RandomStream(seed: UInt64(seed), "products")
    var units = UnitRelations()
    let sizes = [1, 1, 2, 3, 4, 6]
    let axes = sizes.map { units.axis(of: $0) }
    for _ in 0..<6 {
      let (p, q) = (random.permutation(of: 6), random.permutation(of: 6))
      units.unify(
        try #require(units.product(p.map { axes[$0] })),
        try #require(units.product(q.map { axes[$0] })))
    }
    for (axis, size) in zip(axes, sizes) {
      #expect(units.runs(axis).reduce(1) { $0 * $1.count } == size)
    }
  }

  @Test func `concatenated axes are unified segment by segment`() {
    var units = UnitRelations()
    let a = [3, 4].map { units.axis(of: $0) }
    let b = [3, 4].map { units.axis(of: $0) }
    #expect(seen(a[0] + a[1], units) == [Seen(3), Seen(4, offset: 3)])
    units.unify(a[0] + a[1], b[0] + b[1])
    #expect(variables(a[0], units) == variables(b[0], units))
    #expect(variables(a[1], units) == variables(b[1], units))
    #expect(variables(a[0], units) != variables(a[1], units))
    // Of the same size in all, but cut elsewhere.
    let c = [4, 3].map { units.axis(of: $0) }
    units.unify(a[0] + a[1], c[0] + c[1])
    #expect((a + b + c).allSatisfy { isFixed($0, units) })
  }

  @Test func `segments that are products lie behind one another`() throws {
    var units = UnitRelations()
    let (channels, places, more) = (units.axis(of: 3), units.axis(of: 4), units.axis(of: 5))
    let flat = try #require(units.product([channels, places]))
    let both = more + flat
    #expect(
      seen(both, units) == [
        Seen(5), Seen(3, offset: 5, block: 4), Seen(4, offset: 5, outer: 3),
      ])
    #expect(units.product([both, places]) == nil)
  }

  @Test func `an axis that meets a concatenation is cut, wherever it stands`() throws {
    var units = UnitRelations()
    let parts = [3, 4].map { units.axis(of: $0) }
    let (whole, places, after) = (units.axis(of: 7), units.axis(of: 2), units.axis(of: 2))
    let outer = try #require(units.product([whole, places]))
    let inner = try #require(units.product([after, whole]))
    units.unify(whole, parts[0] + parts[1])
    #expect(seen(whole, units) == [Seen(3), Seen(4, offset: 3)])
    #expect(variables(whole, units) == variables(parts[0] + parts[1], units))
    #expect(
      seen(outer, units) == [
        Seen(3, block: 2), Seen(2, outer: 3), Seen(4, offset: 6, block: 2),
        Seen(2, offset: 6, outer: 4),
      ])
    // Within another, the pieces repeat in steps of the whole: a run for each time.
    #expect(
      seen(inner, units) == [
        Seen(2, block: 7), Seen(3), Seen(4, offset: 3), Seen(3, offset: 7), Seen(4, offset: 10),
      ])
    #expect(!isFixed(whole, units))
    units.fix(parts[1])
    #expect(units.runs(whole).map(\.isFixed) == [false, true])
    let other = units.axis(of: 7)
    units.unify(other, whole)
    #expect(variables(other, units) == variables(whole, units))
  }

  @Test func `the same units twice are cut alike`() {
    var units = UnitRelations()
    let (half, whole) = (units.axis(of: 4), units.axis(of: 8))
    units.unify(whole, half + half)
    let quarters = (0..<4).map { _ in units.axis(of: 2) }
    units.unify(quarters.dropFirst().reduce(quarters[0]) { $0 + $1 }, whole)
    #expect(variables(whole, units) == variables(half + half, units))
    #expect(variables(quarters[0], units) == variables(quarters[2], units))
    #expect(variables(quarters[0], units) != variables(quarters[1], units))
    #expect(!isFixed(whole, units))
  }

  @Test func `what was pinned stays so when it is cut, and pieces that fit nowhere are pinned`() {
    var units = UnitRelations()
    let whole = units.axis(of: 6)
    let parts = [2, 4].map { units.axis(of: $0) }
    units.fix(whole)
    units.unify(parts[0] + parts[1], whole)
    #expect(parts.allSatisfy { isFixed($0, units) })
    let (rows, columns) = (units.axis(of: 2), units.axis(of: 3))
    let pieces = [2, 4].map { units.axis(of: $0) }
    // A border at 2 lies within a row of 3.
    if let product = units.product([rows, columns]) { units.unify(product, pieces[0] + pieces[1]) }
    #expect(([rows, columns] + pieces).allSatisfy { isFixed($0, units) })
  }

  private func seen(_ axis: UnitRelations.Axis, _ units: UnitRelations) -> [Seen] {
    units.runs(axis).map { Seen($0.count, offset: $0.offset, outer: $0.outer, block: $0.block) }
  }

  private func variables(_ axis: UnitRelations.Axis, _ units: UnitRelations) -> [Int] {
    units.runs(axis).map(\.variable)
  }

  /// Whether any of the axis' units are pinned.
  private func isFixed(_ axis: UnitRelations.Axis, _ units: UnitRelations) -> Bool {
    units.runs(axis).contains(where: \.isFixed)
  }
}
