import Tensors

extension NormalEquations {
  /// How many numbers ``packed`` has.
  static func packedCount(features: Int, targets: Int) -> Int {
    (features + 1) * (features + 2) / 2 + (features + 1) * targets
  }

  /// The sums in single precision, of HᵀH the lower triangle alone, row by row: a quarter of the bytes to send.
  var packed: [Float] {
    let side = features + 1
    var result: [Float] = []
    result.reserveCapacity(Self.packedCount(features: features, targets: targets))
    for row in 0..<side {
      for column in 0...row { result.append(Float(sums[row * side + column])) }
    }
    for element in sums[(side * side)...] { result.append(Float(element)) }
    return result
  }

  /// Sums that were packed and added.
  init(features: Int, targets: Int, packed: [Float]) {
    precondition(packed.count == Self.packedCount(features: features, targets: targets))
    let side = features + 1
    var sums = [Double](repeating: 0, count: Self.count(features: features, targets: targets))
    var place = 0
    for row in 0..<side {
      for column in 0...row {
        sums[row * side + column] = Double(packed[place])
        sums[column * side + row] = sums[row * side + column]
        place += 1
      }
    }
    for (target, element) in packed[place...].enumerated() {
      sums[side * side + target] = Double(element)
    }
    self.init(features: features, targets: targets, sums: sums)
  }
}

extension SampleSums {
  /// Normal equations, summed over all samples, on every worker.
  ///
  /// In double precision, or packed where samples are sharded and the sums are all that travels, or there are too many to hold
  /// each part's.
  ///
  /// - Parameters:
  ///   - features: numbers that the layer reads.
  ///   - targets: numbers that it gives.
  ///   - hasViews: whether samples count as augmentation shows them, and not as they are alone.
  ///   - method: what needs labels, for the error; nil if they are not needed.
  ///   - pixels: how many rows of features and targets each sample gives.
  ///   - atATime: how many samples are taken at a time at most.
  ///   - rows: what some samples give: features and targets, given the inputs, how many samples there are, and
  ///     their labels, if there are any.
  /// - Returns: the sums.
  /// - Throws: on every worker, if a message does, or labels are needed and there are none.
  func equations(
    features: Int, targets: Int, withViews hasViews: Bool = false,
    needingLabelsFor method: String? = nil, pixels: Int = 1,
    atATime: Int = SampleShards.chunkSize,
    _ rows:
      @escaping @Sendable (_ inputs: [Float], _ count: Int, _ labels: ArraySlice<Int>) -> (
        features: [Float], targets: [Float]
      )
  ) throws -> NormalEquations {
    let own = { @Sendable (part: Part) throws -> NormalEquations in
      if let method, part.labels.isEmpty {
        throw MergeError("\(method) needs labels, and the training data has none")
      }
      var equations = NormalEquations(features: features, targets: targets)
      var buffer = [Float](
        repeating: 0, count: min(SampleShards.chunkSize, atATime) * part.samples.features)
      for chunk in part.chunks.flatMap({ $0.cut(into: atATime) }) {
        for view in hasViews ? part.samples.views : [part.samples] {
          view.write(chunk, into: &buffer)
          let (h, t) = rows(
            buffer, chunk.count, part.labels.isEmpty ? [] : part.labels[chunk])
          equations.add(h, t, rows: chunk.count * pixels, parallelism: .whole)
        }
      }
      return equations
    }
    if isSharded || features > 2000 {
      let packed: [Float] = try sum(
        of: NormalEquations.packedCount(features: features, targets: targets)
      ) { try own($0).packed }
      return NormalEquations(features: features, targets: targets, packed: packed)
    }
    let sums: [Double] = try sum(
      of: NormalEquations.count(features: features, targets: targets)
    ) { try own($0).sums }
    return NormalEquations(features: features, targets: targets, sums: sums)
  }
}
