import Networks
import Synchronization
import Tensors

/// The search for the head of one λ.
struct HeadSearch: Sendable {
  /// The mean loss on the samples that were left out, of the best head so far.
  private(set) var judgedLoss = Double.infinity

  private let ridge: Double
  private let features: Int
  private var search: LimitedMemoryBFGS

  /// A search from zero; nil if λ is too small for the sums' precision.
  init?(_ equations: NormalEquations, ridge: Double) {
    let classes = equations.targets
    // At zero the Hessian is (HᵀH + λ C N D) / (C N).
    guard let factor = try? equations.factor(ridge: ridge * Double(classes)) else { return nil }
    let scale = Double(classes) * equations.sampleCount
    self.ridge = ridge
    features = equations.features
    search = LimitedMemoryBFGS(
      from: Array(repeating: 0, count: (equations.features + 1) * classes)
    ) { gradient in
      var step = gradient
      factor.solve(&step, columns: classes)
      return step.map { scale * $0 }
    }
  }

  var head: [Float] { search.point.map { Float($0) } }
  var proposal: [Float] { search.proposal.map { Float($0) } }

  /// Takes what the proposal gave.
  mutating func advance(by evaluation: HeadEvaluation) {
    var gradient = evaluation.gradient.map { Double($0) / evaluation.count }
    var loss = evaluation.loss / evaluation.count
    // The last of the rows is the biases', which are not shrunk.
    for i in 0..<gradient.count / (features + 1) * features {
      gradient[i] += ridge * search.proposal[i]
      loss += ridge / 2 * search.proposal[i] * search.proposal[i]
    }
    guard search.advance(loss: loss, gradient: gradient) else { return }
    judgedLoss = evaluation.judgedLoss / max(evaluation.judgedCount, 1)
  }

  /// Goes on from here, for another sum.
  mutating func startAgain() { search = search.startedAgain }
}

/// What some samples say of a head, summed.
struct HeadEvaluation {
  /// (features + 1) × classes; of the samples that were not left out.
  let gradient: ArraySlice<Float>
  let loss: Double
  let count: Double
  /// Of those that were.
  let judgedLoss: Double
  let judgedCount: Double

  /// The numbers as they travel.
  init(_ numbers: ArraySlice<Float>) {
    gradient = numbers.dropLast(4)
    let rest = numbers.suffix(4).map { Double($0) }
    (loss, count, judgedLoss, judgedCount) = (rest[0], rest[1], rest[2], rest[3])
  }
}

/// What heads read of the samples: it stays the same while heads are fitted, and is kept as far as there is room.
final class HeadRows: Sendable {
  private let inputs: LayerInputs
  private let kept: Mutex<(rows: [Int: [[Float]]], count: Int)> = Mutex(([:], 0))

  /// Floats that are kept at most, 256 MB.
  private static let limit = 1 << 26

  init(_ inputs: LayerInputs) { self.inputs = inputs }

  /// Calls for each chunk of a part, in each view: rows × features, and which samples they are.
  func forEachChunk(
    of part: SampleSums.Part, number: Int, _ body: ([Float], Range<Int>) -> Void
  ) {
    let views = part.samples.views
    if let rows = kept.withLock({ $0.rows[number] }) {
      for (place, own) in rows.enumerated() { body(own, part.chunks[place / views.count]) }
      return
    }
    let size = part.chunks.reduce(0) { $0 + $1.count } * views.count * inputs.count
    let isKept = kept.withLock { kept in
      guard kept.count + size <= Self.limit else { return false }
      kept.count += size
      return true
    }
    var rows: [[Float]] = []
    var buffer = [Float](repeating: 0, count: SampleShards.chunkSize * part.samples.features)
    for chunk in part.chunks {
      for view in views {
        view.write(chunk, into: &buffer)
        let own = inputs.of(buffer, rows: chunk.count)
        if isKept { rows.append(own) }
        body(own, chunk)
      }
    }
    if isKept { kept.withLock { [rows] in $0.rows[number] = rows } }
  }
}

/// Heads as they travel: (features + 1) × classes each, the biases last.
struct HeadShape: Sendable {
  let features: Int
  let classes: Int

  var count: Int { (features + 1) * classes }

  /// The numbers of a ``HeadEvaluation``.
  var evaluationCount: Int { count + 4 }

  /// What the samples of a part say of some heads.
  ///
  /// - Parameters:
  ///   - heads: one behind the other.
  ///   - part: samples with labels.
  ///   - number: which part.
  ///   - rows: what the heads read.
  ///   - judged: one sample of so many is left out of loss and gradient; nil for none.
  /// - Returns: ``evaluationCount`` numbers a head.
  func evaluate(
    _ heads: [Float], on part: SampleSums.Part, number: Int, _ rows: HeadRows,
    leavingOut judged: Int?
  ) -> [Float] {
    let headCount = heads.count / count
    var sums = [Double](repeating: 0, count: headCount * evaluationCount)
    rows.forEachChunk(of: part, number: number) { h, chunk in
      for place in 0..<headCount {
        let head = Array(heads[place * count..<(place + 1) * count])
        add(
          head, h, chunk, part.labels, leavingOut: judged, to: &sums, at: place * evaluationCount)
      }
    }
    return sums.map { Float($0) }
  }

  private func add(
    _ head: [Float], _ h: [Float], _ chunk: Range<Int>, _ labels: [Int], leavingOut judged: Int?,
    to sums: inout [Double], at start: Int
  ) {
    var residuals = logits(head, h, rows: chunk.count)
    let totals = start + count
    residuals.elements.withUnsafeMutableBufferPointer { z in
      guard let z = z.baseAddress else { return }
      for (row, sample) in chunk.enumerated() {
        let own = z + row * classes
        let wanted = own[labels[sample]]
        let loss = Double(
          softmaxRow(own, classes: classes, inverseTemperature: 1, into: own) - wanted)
        if let judged, sample.isMultiple(of: judged) {
          sums[totals + 2] += loss
          sums[totals + 3] += 1
          for c in 0..<classes { own[c] = 0 }
        } else {
          sums[totals] += loss
          sums[totals + 1] += 1
          own[labels[sample]] -= 1
        }
      }
    }
    addProduct(
      h, features, residuals.elements, classes, rows: chunk.count, to: &sums, at: start,
      stride: classes)
    let biases = columnSums(residuals.elements, rows: chunk.count, columns: classes)
    for (c, sum) in biases.enumerated() { sums[start + features * classes + c] += sum }
  }

  /// Rows × classes.
  private func logits(_ head: [Float], _ h: [Float], rows: Int) -> Matrix {
    var result = Matrix(rows: rows, columns: classes)
    result.withMutableView { result in
      h.withUnsafeBufferPointer { h in
        head.withUnsafeBufferPointer { head in
          multiply(
            MatrixView(h, rows: rows, columns: features),
            MatrixView(head, rows: features, columns: classes), into: result)
        }
      }
    }
    for row in 0..<rows {
      for c in 0..<classes { result.elements[row * classes + c] += head[features * classes + c] }
    }
    return result
  }

  /// A head as a layer's weights (classes × features) and biases.
  func layer(of head: [Float]) -> (weights: [Float], biases: [Float]) {
    (
      (0..<classes).flatMap { c in (0..<features).map { head[$0 * classes + c] } },
      Array(head[(features * classes)...])
    )
  }
}
