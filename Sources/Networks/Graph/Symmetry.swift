/// The sets of hidden units that may be reordered together without changing what a network computes.
///
/// Derived from the graph by union–find (``UnitRelations``): layers say which axes number the same units. In a perceptron
/// each hidden layer is a group; the additions of a residual network make one group of a whole stream.
public struct Symmetry: Equatable, Sendable {
  /// In the order in which their first tensors lie in the block.
  public let groups: [Group]

  /// The group that numbers the units, or channels, of each node's value; nil where several or none do.
  public let groupOfNode: [Int?]

  /// The groups of each parameter tensor's axes, by where the tensor starts.
  private let groupsOfAxes: [Int: [Int?]]

  /// Units that one permutation reorders, in all its places at once.
  public struct Group: Equatable, Sendable {
    /// Which group, from 0.
    public let index: Int
    /// How many units.
    public let count: Int
    /// In the order of the tensors, parameters first.
    public let places: [Place]
  }

  init(_ nodes: [Node], _ shapes: Shapes, tensors: [TensorLayout], buffers: [TensorLayout]) {
    var units = UnitRelations()
    func axes(_ shape: Shape) -> [UnitRelations.Axis] { shape.map { units.axis(of: $0) } }
    var values = [axes(shapes.values[0])]
    let parameterAxes = tensors.map { axes($0.shape) }
    let bufferAxes = buffers.map { axes($0.shape) }
    let parametersOfNode = byNode(tensors, parameterAxes, count: nodes.count)
    let buffersOfNode = byNode(buffers, bufferAxes, count: nodes.count)
    for axis in values[0] { units.fix(axis) }
    for (index, node) in nodes.enumerated() {
      let layer = LayerAxes(
        inputs: shapes.sources[index].map { values[$0] }, parameters: parametersOfNode[index],
        buffers: buffersOfNode[index])
      values.append(
        node.layer.passUnits(layer, outputShape: shapes.values[index + 1], in: &units))
    }
    for axis in values[nodes.count] { units.fix(axis) }

    self.init(
      units, tensors: Array(zip(tensors, parameterAxes)), buffers: Array(zip(buffers, bufferAxes)),
      nodeAxes: nodes.indices.map { values[$0 + 1].first })
  }

  /// The groups that are left free where all is said.
  ///
  /// - Parameters:
  ///   - units: what is known of all axes.
  ///   - tensors: those of parameters, each with its axes.
  ///   - buffers: those of buffers.
  ///   - nodeAxes: of each node's value, the axis of its units or channels.
  init(
    _ units: UnitRelations, tensors: [(TensorLayout, [UnitRelations.Axis])],
    buffers: [(TensorLayout, [UnitRelations.Axis])], nodeAxes: [UnitRelations.Axis?]
  ) {
    var numbers: [Int: Int] = [:]
    var found: [(count: Int, places: [Place])] = []
    for (isBuffer, list) in [(false, tensors), (true, buffers)] {
      for (tensor, axes) in list {
        for (axis, own) in axes.enumerated() {
          for run in units.runs(own) where !run.isFixed {
            let number = numbers[run.variable] ?? found.count
            if number == found.count {
              numbers[run.variable] = number
              found.append((run.count, []))
            }
            found[number].places.append(
              Place(
                tensor: tensor, isBuffer: isBuffer, axis: axis, count: run.count,
                offset: run.offset, outer: run.outer, block: run.block))
          }
        }
      }
    }
    groups = found.enumerated().map { Group(index: $0, count: $1.count, places: $1.places) }
    var groupsOfAxes: [Int: [Int?]] = [:]
    for group in groups {
      for place in group.places where place.isWholeAxis && !place.isBuffer {
        let tensor = place.tensor
        groupsOfAxes[tensor.range.lowerBound, default: tensor.shape.map { _ in nil }][place.axis] =
          group.index
      }
    }
    self.groupsOfAxes = groupsOfAxes
    groupOfNode = nodeAxes.map { axis in
      guard let axis else { return nil }
      let runs = units.runs(axis)
      return runs.count == 1 && !runs[0].isFixed ? numbers[runs[0].variable] : nil
    }
  }

  /// The group that numbers an axis of a tensor of parameters alone, unit by unit; nil where none does.
  public func group(of tensor: TensorLayout, axis: Int) -> Int? {
    groupsOfAxes[tensor.range.lowerBound]?[axis]
  }
}

/// Things of tensors, gathered by the node that each tensor belongs to.
func byNode<Value>(_ tensors: [TensorLayout], _ values: [Value], count: Int) -> [[Value]] {
  var result = [[Value]](repeating: [], count: count)
  for (tensor, value) in zip(tensors, values) { result[tensor.node].append(value) }
  return result
}

/// One place where the units of a group are numbered: a run of entries along an axis of a tensor.
///
/// Unit u has the entries `offset` + (o × count + u) × block + b, for all o below `outer` and b below `block`.
public struct Place: Equatable, Sendable {
  public let tensor: TensorLayout
  /// Whether the tensor is one of buffers.
  public let isBuffer: Bool
  public let axis: Int
  /// How many units.
  public let count: Int
  public let offset: Int
  public let outer: Int
  public let block: Int

  /// Whether every entry of the axis is one unit.
  public var isWholeAxis: Bool {
    offset == 0 && outer == 1 && block == 1 && tensor.shape[axis] == count
  }

  /// The place of the pairs of this place's units with those of another that lie side by side in each, such as heads and what is
  /// in a head; nil if the other's do not.
  public func product(with inner: Place) -> Place? {
    guard tensor == inner.tensor, isBuffer == inner.isBuffer, axis == inner.axis,
      offset == inner.offset, block == inner.count * inner.block, inner.outer == outer * count
    else { return nil }
    return Place(
      tensor: tensor, isBuffer: isBuffer, axis: axis, count: count * inner.count, offset: offset,
      outer: outer, block: inner.block)
  }

  /// The entries along the axis, in the order of the units: for each unit its own, `outer` × `block` of them.
  public var entries: [[Int]] {
    (0..<count).map { unit in
      (0..<outer).flatMap { o in (0..<block).map { offset + (o * count + unit) * block + $0 } }
    }
  }
}
