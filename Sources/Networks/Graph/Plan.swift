/// A graph made ready to run: which layers run in which order, who takes on a ReLU, and which values share memory.
struct Plan: Sendable {
  /// One layer's passes.
  struct Step: Sendable {
    let node: Int
    /// The values that are read and written.
    let inputs: [Int]
    let output: Int
    /// Whether the ReLU behind the layer is done by it.
    let isRectified: Bool
    /// Whether the backward pass starts by masking the gradient at that ReLU; else those who read it do.
    let masksOutput: Bool
    /// Of each input, whether the backward pass masks its gradient for the ReLU before the layer.
    let masksInputs: [Bool]
    /// Of each input, whether another step's gradient has been written already, in the order of the backward pass.
    let addsGradient: [Bool]
    let parameters: [Range<Int>]
    let buffers: [Range<Int>]
  }

  let steps: [Step]

  /// Where values lie when all are kept, and when each makes room once it was read; in floats a sample.
  let kept: Arena
  let reused: Arena

  /// Where gradients with respect to values lie.
  let gradients: Arena

  /// Places of values in one block; none for values that are never written.
  struct Arena: Sendable {
    fileprivate(set) var starts: [Int?]
    fileprivate(set) var size = 0
  }

  /// A plan that keeps the own values of nodes that are to be looked at: their ReLU is left to itself.
  init(
    _ nodes: [Node], _ shapes: Shapes, tensors: [TensorLayout], buffers: [TensorLayout],
    exposing exposed: [Int] = []
  ) {
    let output = nodes.count
    /// The ReLU that takes a node's value away from it, by the value it leaves.
    func rectified(_ node: Int) -> Int? {
      guard nodes[node].layer.canRectify, node + 1 != output, !exposed.contains(node),
        shapes.readers[node + 1].count == 1, let reader = shapes.readers[node + 1].first,
        nodes[reader].layer is ReLU
      else { return nil }
      return reader + 1
    }
    let taken = nodes.indices.map(rectified)
    let absorbed = Set(taken.compactMap { $0.map { $0 - 1 } })
    let rectifiedValues = Set(taken.compactMap(\.self))
    // A ReLU's backward pass is left to those who read it if all of them can.
    let isMaskedByReaders = (0...nodes.count).map { value in
      rectifiedValues.contains(value) && value != output
        && shapes.readers[value].allSatisfy { nodes[$0].layer.canMaskInputs }
    }
    let running = nodes.indices.filter { !absorbed.contains($0) }
    var isWritten = [Bool](repeating: false, count: nodes.count + 1)
    isWritten[output] = true
    var adds: [Int: [Bool]] = [:]
    for node in running.reversed() {
      adds[node] = shapes.sources[node].map { value in
        defer { isWritten[value] = true }
        return isWritten[value]
      }
    }
    let parameters = byNode(tensors, tensors.map(\.range), count: nodes.count)
    let kepts = byNode(buffers, buffers.map(\.range), count: nodes.count)
    let steps = running.map { node in
      let value = taken[node] ?? node + 1
      return Step(
        node: node, inputs: shapes.sources[node], output: value,
        isRectified: taken[node] != nil,
        masksOutput: rectifiedValues.contains(value) && !isMaskedByReaders[value],
        masksInputs: shapes.sources[node].map { isMaskedByReaders[$0] },
        addsGradient: adds[node] ?? [],
        parameters: parameters[node], buffers: kepts[node])
    }
    self.steps = steps

    let sizes = (0...nodes.count).map(shapes.size)
    var kept = ArenaBuilder(sizes)
    for step in steps { kept.open(step.output) }
    self.kept = kept.arena

    // The last step that reads each value.
    var lastReader: [Int: Int] = [:]
    for (place, step) in steps.enumerated() {
      for value in step.inputs { lastReader[value] = place }
    }
    var reused = ArenaBuilder(sizes)
    for (place, step) in steps.enumerated() {
      reused.open(step.output)
      for value in Set(step.inputs).sorted() where value > 0 && lastReader[value] == place {
        reused.close(value)
      }
    }
    self.reused = reused.arena

    var gradients = ArenaBuilder(sizes)
    gradients.open(output)
    for step in steps.reversed() {
      for (value, isAdded) in zip(step.inputs, step.addsGradient) where value > 0 && !isAdded {
        gradients.open(value)
      }
      if step.output != output { gradients.close(step.output) }
    }
    self.gradients = gradients.arena
  }
}

/// Puts values into a block, and what is no longer needed back.
private struct ArenaBuilder {
  private let sizes: [Int]
  private var free: [(start: Int, size: Int)] = []
  private(set) var arena: Plan.Arena

  init(_ sizes: [Int]) {
    self.sizes = sizes
    arena = Plan.Arena(starts: sizes.map { _ in nil })
  }

  mutating func open(_ value: Int) {
    let size = sizes[value]
    if let place = free.firstIndex(where: { $0.size == size }) {
      arena.starts[value] = free.remove(at: place).start
    } else {
      arena.starts[value] = arena.size
      arena.size += size
    }
  }

  mutating func close(_ value: Int) {
    guard let start = arena.starts[value] else { return }
    free.append((start, sizes[value]))
  }
}
