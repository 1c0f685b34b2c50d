import Networks
import Tensors

/// How units are chosen among those of all members.
public enum UnitSelection: String, CaseIterable, Sendable {
  /// From activations on one part of the samples, whose worker computes alone: only the choice travels.
  case part
  /// From sums of activations under random signs, which stand for all samples (a sketch; Woodruff 2014).
  case sketch
  /// From the products of all activations with each other, (M n)² numbers.
  case products
}

/// The units of a group, of all members, as the layers that mix them read them: centred, and each scaled by the norm of its
/// outgoing weights.
struct GroupActivations: Sendable {
  /// What gives each reader its inputs, of each member; what the inputs are multiplied by; and the pixels that are looked at.
  private let readers: [Reader]
  private let units: Int
  private let memberCount: Int

  private struct Reader: Sendable {
    let below: [NetworkView]
    let scales: [Float]
    /// How many pixels a sample has, and which are looked at.
    let pixels: Int
    let looked: [Int]
  }

  /// The pixels of an image that are looked at, at most: neighbours tell much the same.
  private static let mostPixels = 16

  /// Samples to select on, if one worker selects.
  private static let samples = 8192
  /// The activations that are held at most; of more than 16 members of 512 units the samples become fewer for it.
  private static let limit = 1 << 26
  /// The rows of a sketch for each unit that is wanted.
  private static let sketchRows = 2

  init(_ group: Symmetry.Group, of members: [Network]) {
    let graph = members[0].graph
    units = group.count
    memberCount = members.count
    readers = graph.readers(of: group).compactMap { reader in
      graph.source(of: reader).map { source in
        let pixels = graph.unitsAndPixels(of: source).pixels
        let step = (pixels + Self.mostPixels - 1) / Self.mostPixels
        return Reader(
          below: members.map { NetworkView([source], of: $0) },
          scales: members.flatMap { $0.outgoingNorms(reader) }, pixels: pixels,
          looked: Array(stride(from: step / 2, to: pixels, by: step)))
      }
    }
  }

  /// How many samples are taken at a time at most.
  private var rowsAtATime: Int { readers.map { $0.below[0].rowsAtATime }.min() ?? 1 }

  private var columns: Int { memberCount * units }

  /// The units to keep, in their order, by member and then by index.
  ///
  /// - Parameters:
  ///   - count: how many.
  ///   - selection: how they are chosen.
  ///   - sums: over the samples.
  ///   - seed: of the sketch.
  ///   - threads: how many threads compute; the answer does not depend on it.
  /// - Returns: numbers below M n; nil if activations are infinite.
  /// - Throws: what messages throw.
  func select(
    _ count: Int, by selection: UnitSelection, _ sums: SampleSums, seed: UInt64, threads: Int
  ) throws -> [Int]? {
    let chosen: [Int]
    switch selection {
    case .part:
      chosen = try sums.onFirstPart { select(count, from: $0, threads: threads) ?? [] }
    case .sketch: chosen = try selectFromSketch(count, sums, seed: seed, threads: threads)
    case .products: chosen = try selectFromProducts(count, sums, threads: threads)
    }
    return chosen.isEmpty ? nil : chosen.sorted()
  }

  /// As `select`, of one part of the samples, on this worker.
  func select(_ count: Int, from part: SampleSums.Part, threads: Int) -> [Int]? {
    let chosen = pivots(
      of: activations(of: part, for: count, threads: threads), count, threads: threads)
    return chosen.isEmpty ? nil : chosen.sorted()
  }

  private func pivots(of matrix: Matrix, _ count: Int, threads: Int) -> [Int] {
    guard matrix.elements.allSatisfy(\.isFinite) else { return [] }
    return pivotedColumns(of: matrix, count: count, threads: threads)
  }

  /// What some samples give all members' units, samples, or those of their pixels that are looked at, × M n.
  private func activations(
    _ reader: Reader, _ inputs: [Float], rows: Int, threads: Int = 1
  ) -> Matrix {
    let outputs = concurrentMap(memberCount, threads: threads) {
      reader.below[$0].values(inputs, rows: rows)[0]
    }
    let places = (0..<rows).flatMap { row in reader.looked.map { row * reader.pixels + $0 } }
    var result = Matrix(rows: places.count, columns: columns)
    for (member, output) in outputs.enumerated() {
      for (row, place) in places.enumerated() {
        let target = row * columns + member * units
        for unit in 0..<units { result.elements[target + unit] = output[place * units + unit] }
      }
    }
    return result
  }

  // MARK: - One part

  private func activations(of part: SampleSums.Part, for wanted: Int, threads: Int) -> Matrix {
    // Fewer samples than units would leave some to chance.
    let enough = 2 * max(units, wanted)
    let most = min(
      max(Self.samples, enough), max(Self.limit / columns, enough), part.samples.count)
    let each = max(most / max(readers.count, 1), 1)
    var result = Matrix(rows: 0, columns: columns)
    var buffer = [Float](
      repeating: 0, count: SampleShards.chunkSize * part.samples.features)
    for reader in readers {
      var own = Matrix(rows: 0, columns: columns)
      // Of images fewer than of vectors, whose pixels make up for it; never so few that they are all alike.
      let samples = min(each, max(each / reader.looked.count * 2, 256))
      for chunk in SampleShards.chunks(of: samples).flatMap({ $0.cut(into: rowsAtATime) }) {
        part.samples.write(chunk, into: &buffer)
        let some = activations(reader, buffer, rows: chunk.count, threads: threads)
        own = Matrix(
          rows: own.rows + some.rows, columns: columns, elements: own.elements + some.elements)
      }
      var means = [Double](repeating: 0, count: columns)
      for (column, sum) in columnSums(own.elements, rows: own.rows, columns: columns).enumerated() {
        means[column] = sum / Double(own.rows)
      }
      subtract(means.map { Float($0) }, reader.scales, from: &own)
      result = Matrix(
        rows: result.rows + own.rows, columns: columns, elements: result.elements + own.elements)
    }
    return result
  }

  /// (x − means) ∘ scales, of each row.
  private func subtract(_ means: [Float], _ scales: [Float], from matrix: inout Matrix) {
    for row in 0..<matrix.rows {
      for column in means.indices {
        matrix[row, column] = (matrix[row, column] - means[column]) * scales[column]
      }
    }
  }

  // MARK: - A sketch

  /// G A with G of random signs, G 1 and 1ᵀA, of each reader, summed over parts.
  private func selectFromSketch(
    _ count: Int, _ sums: SampleSums, seed: UInt64, threads: Int
  ) throws -> [Int] {
    let (columns, readers, sampleCount) = (columns, readers, sums.sampleCount)
    let rows = Self.sketchRows * max(units, count)
    let length = rows * columns + rows + columns
    return try sums.reduce(of: readers.count * length) { part, number -> [Float] in
      var result: [Float] = []
      var buffer = [Float](
        repeating: 0, count: SampleShards.chunkSize * part.samples.features)
      for (place, reader) in readers.enumerated() {
        var sums = [Double](repeating: 0, count: length)
        let chunks = part.chunks.flatMap { $0.cut(into: rowsAtATime) }
        for (index, chunk) in chunks.enumerated() {
          part.samples.write(chunk, into: &buffer)
          let some = activations(reader, buffer, rows: chunk.count)
          var random = RandomStream(seed: seed, "sketch", place, number, index)
          var signs = Matrix(rows: some.rows, columns: rows + 1)
          for row in 0..<some.rows {
            var bits: UInt64 = 0
            for column in 0..<rows {
              if column.isMultiple(of: 64) { bits = random.next() }
              signs[row, column] = bits >> UInt64(column % 64) & 1 == 1 ? 1 : -1
            }
            signs[row, rows] = 1
          }
          // The row of ones gives the columns' sums, and the signs' own sums follow.
          addProduct(
            signs.elements, rows + 1, some.elements, columns, rows: some.rows, to: &sums,
            at: 0, stride: columns)
          let own = columnSums(signs.elements, rows: some.rows, columns: rows + 1)
          for (row, sum) in own.dropLast().enumerated() { sums[(rows + 1) * columns + row] += sum }
        }
        result += sums.map { Float($0) }
      }
      return result
    } _: { parts in
      var stacked = Matrix(rows: 0, columns: columns)
      let sum = added(parts)
      for (place, reader) in readers.enumerated() {
        let own = sum[place * length..<(place + 1) * length].map { $0 }
        let count = Float(sampleCount * reader.looked.count)
        let means = own[rows * columns..<(rows + 1) * columns].map { $0 / count }
        var sketch = Matrix(
          rows: rows, columns: columns, elements: Array(own[..<(rows * columns)]))
        for row in 0..<rows {
          let signs = own[(rows + 1) * columns + row]
          for column in 0..<columns {
            sketch[row, column] =
              (sketch[row, column] - signs * means[column]) * reader.scales[column]
          }
        }
        stacked = Matrix(
          rows: stacked.rows + rows, columns: columns,
          elements: stacked.elements + sketch.elements)
      }
      return pivots(of: stacked, count, threads: threads)
    }
  }

  // MARK: - All products

  /// The lower triangle of AᵀA, and 1ᵀA, of each reader, summed over parts.
  private func selectFromProducts(
    _ count: Int, _ sums: SampleSums, threads: Int
  ) throws -> [Int] {
    let (columns, readers, sampleCount) = (columns, readers, sums.sampleCount)
    let length = NormalEquations.packedCount(features: columns, targets: 0)
    return try sums.reduce(of: readers.count * length) { part, _ -> [Float] in
      var result: [Float] = []
      var buffer = [Float](
        repeating: 0, count: SampleShards.chunkSize * part.samples.features)
      for reader in readers {
        var equations = NormalEquations(features: columns, targets: 0)
        for chunk in part.chunks.flatMap({ $0.cut(into: rowsAtATime) }) {
          part.samples.write(chunk, into: &buffer)
          let some = activations(reader, buffer, rows: chunk.count)
          equations.add(some.elements, [], rows: some.rows, parallelism: .whole)
        }
        result += equations.packed
      }
      return result
    } _: { parts in
      let sum = added(parts)
      var gram = Matrix(rows: columns, columns: columns)
      for (place, reader) in readers.enumerated() {
        let equations = NormalEquations(
          features: columns, targets: 0, packed: Array(sum[place * length..<(place + 1) * length]))
        let side = columns + 1
        let count = Float(sampleCount * reader.looked.count)
        for row in 0..<columns {
          let mean = Float(equations.sums[row * side + columns]) / count
          for column in 0..<columns {
            let centred =
              Float(equations.sums[row * side + column])
              - mean * Float(equations.sums[column * side + columns])
            gram[row, column] += reader.scales[row] * reader.scales[column] * centred
          }
        }
      }
      guard gram.elements.allSatisfy(\.isFinite) else { return [] }
      return pivotedColumns(ofGram: gram, count: count, threads: threads)
    }
  }
}

/// Parts' numbers, added in their order.
func added(_ parts: [ArraySlice<Float>]) -> [Float] {
  var sum = Array(parts[0])
  for part in parts.dropFirst() { accumulate(Array(part), into: &sum) }
  return sum
}

extension Network {
  /// The norm of the weights that a linear node gives each unit that it reads.
  fileprivate func outgoingNorms(_ reader: Int) -> [Float] {
    guard let tensor = graph.weight(of: reader), let columns = graph.columns(of: reader) else {
      return []
    }
    let weights = matrix(tensor)
    var squares = [Float](
      repeating: 0, count: graph.symmetry.groups[columns.group].count)
    for (column, unit) in columns.units.enumerated() {
      squares[unit] = (0..<weights.rows).reduce(squares[unit]) {
        $0 + weights[$1, column] * weights[$1, column]
      }
    }
    return squares.map { $0.squareRoot() }
  }
}
