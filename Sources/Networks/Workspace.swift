import Tensors

/// Memory for running one graph forward and backward on batches, allocated once.
public struct Workspace: Sendable {
  /// What passes are run for.
  public enum Purpose: Sendable {
    /// All values are kept, for a backward pass.
    case training
    /// All values are kept to be looked at, and nothing else.
    case looking
    /// Only the output is kept.
    case inference
  }

  public let graph: Graph
  public let capacity: Int
  public let purpose: Purpose
  let parallelism: Parallelism

  /// Values, gradients with respect to them, and what layers keep of a training pass.
  var values: [Float]
  var gradients: [Float]
  var saved: [Float]

  /// The inputs of the last forward pass pixel by pixel, where they are images of several channels.
  var pixels: [Float]

  /// Where each step's part of ``saved`` lies.
  let savedRanges: [Range<Int>]

  /// Memory for batches of up to `capacity` samples, computed by up to `threads` threads.
  public init(
    _ graph: Graph, capacity: Int, threads: Int = 1, purpose: Purpose = .training
  ) {
    self.graph = graph
    self.capacity = capacity
    self.purpose = purpose
    parallelism = .tiled(threads: threads)
    let isTraining = purpose == .training
    var end = 0
    savedRanges = graph.plan.steps.map { step in
      let count =
        isTraining
        ? graph.nodes[step.node].layer.savedCount(
          of: graph.shapes.inputs(of: step.node), rows: capacity) : 0
      defer { end += count }
      return end..<end + count
    }
    values = Array(
      repeating: 0,
      count: capacity * (purpose == .inference ? graph.plan.reused : graph.plan.kept).size)
    gradients = Array(repeating: 0, count: isTraining ? capacity * graph.plan.gradients.size : 0)
    saved = Array(repeating: 0, count: end)
    pixels = Array(repeating: 0, count: graph.readsChannels ? capacity * graph.inputs : 0)
  }

  /// Where a value lies among the values, for some samples; nil for the graph's input.
  func range(ofValue value: Int, rows: Int) -> Range<Int>? {
    let arena = purpose == .inference ? graph.plan.reused : graph.plan.kept
    guard let start = arena.starts[value] else { return nil }
    return start * capacity..<start * capacity + rows * graph.shapes.size(value)
  }

  /// Where the gradient with respect to a value lies among the gradients.
  func range(ofGradient value: Int, rows: Int) -> Range<Int>? {
    guard let start = graph.plan.gradients.starts[value] else { return nil }
    return start * capacity..<start * capacity + rows * graph.shapes.size(value)
  }

  private var outputValue: Int { graph.nodes.count }

  /// The logits of the last forward pass, capacity × classes; those of the batch's rows count.
  public var logits: [Float] {
    range(ofValue: outputValue, rows: capacity).map { Array(values[$0]) } ?? []
  }

  /// What a node put out in the last forward pass, capacity × its size; nil unless all values are kept, or if the node's
  /// ReLU was done with it and its own value never was there.
  public func value(of node: Int) -> [Float]? {
    guard purpose != .inference else { return nil }
    return range(ofValue: node + 1, rows: capacity).map { Array(values[$0]) }
  }

  /// The gradient of the loss with respect to the logits, as a loss writes it.
  public var logitGradient: [Float] {
    get { range(ofGradient: outputValue, rows: capacity).map { Array(gradients[$0]) } ?? [] }
    set {
      guard let range = range(ofGradient: outputValue, rows: capacity) else { return }
      precondition(newValue.count == range.count)
      gradients.replaceSubrange(range, with: newValue)
    }
  }

  /// Lends the logits of some rows, and room for the gradient with respect to them, to a loss, row by row.
  mutating func forEachLogitRow(
    rows: Int, _ body: (Int, UnsafePointer<Float>, UnsafeMutablePointer<Float>) -> Void
  ) {
    let classes = graph.outputs
    guard let logits = range(ofValue: outputValue, rows: rows),
      let gradient = range(ofGradient: outputValue, rows: rows)
    else { return }
    precondition(purpose == .training, "a loss in memory for inference")
    values.withUnsafeBufferPointer { z in
      gradients.withUnsafeMutableBufferPointer { g in
        guard let z = z.baseAddress, let g = g.baseAddress else { return }
        for row in 0..<rows {
          body(row, z + logits.lowerBound + row * classes, g + gradient.lowerBound + row * classes)
        }
      }
    }
  }
}
