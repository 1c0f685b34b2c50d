import Tensors

/// The shape of one sample of a value: `[784]` for a vector, `[16, 28, 28]` for an image of 16 channels.
///
/// In memory an image's channels lie side by side, pixel by pixel; what a network is given, and ``Flatten`` puts out, lies channel by
/// channel, as PyTorch has it.
public typealias Shape = [Int]

/// One operation of a network: a node of its graph.
///
/// A layer is one file: its shape rule, its tensors, how units pass through it, its forward and its backward pass.
/// It holds no parameters; those lie in the network's block, and a pass lends them.
///
///     struct Scale: Layer {           // y = w ∘ x, a weight for each unit
///       var description: String { "scale" }
///       func outputShape(of inputs: [Shape]) throws(LayerError) -> Shape { try single(inputs) }
///       …
///     }
///
/// To add one that texts and files may name, add its entry to ``LayerCatalog/standard``.
public protocol Layer: Sendable, CustomStringConvertible {
  /// The layer as a graph's text has it, with its arguments: `dense(512)`. Equal texts mean equal layers.
  var description: String { get }

  /// The shape of a sample of the output.
  ///
  /// - Throws: ``LayerError`` if the layer cannot take inputs of such shapes.
  func outputShape(of inputs: [Shape]) throws(LayerError) -> Shape

  /// The tensors that are learned, in the order they lie in the block.
  func parameters(of inputs: [Shape]) -> [TensorDeclaration]

  /// The tensors that are kept but not learned, such as running statistics.
  func buffers(of inputs: [Shape]) -> [TensorDeclaration]

  /// Says which axes number the same units; returns the axes of the output.
  ///
  /// What is not unified stays apart, and ``UnitRelations/fix(_:)`` pins units to their places. A layer that does not say
  /// how units pass pins all it touches, which costs symmetry but never correctness.
  ///
  /// - Parameters:
  ///   - axes: of the inputs and of the layer's tensors.
  ///   - outputShape: the output's.
  ///   - units: what is known so far, added to.
  /// - Returns: an axis for each of the output's.
  func passUnits(
    _ axes: LayerAxes, outputShape: Shape, in units: inout UnitRelations
  ) -> [UnitRelations.Axis]

  /// The layer with another number of output units; a layer that has as many as its input is itself.
  func resized(to units: Int) -> any Layer

  /// How many floats of a training pass the backward pass needs besides inputs and outputs.
  func savedCount(of inputs: [Shape], rows: Int) -> Int

  /// Whether the layer can take on a ReLU that follows it, in the pass that writes its output.
  var canRectify: Bool { get }

  /// Whether the backward pass honours ``InputGradient/mask``: the backward pass of a ReLU before the layer.
  var canMaskInputs: Bool { get }

  /// Computes the output.
  func forward(_ pass: ForwardPass)

  /// Computes the gradients with respect to parameters and inputs.
  func backward(_ pass: BackwardPass)
}

extension Layer {
  public func parameters(of inputs: [Shape]) -> [TensorDeclaration] { [] }
  public func buffers(of inputs: [Shape]) -> [TensorDeclaration] { [] }
  public func savedCount(of inputs: [Shape], rows: Int) -> Int { 0 }
  public func resized(to units: Int) -> any Layer { self }
  public var canRectify: Bool { false }
  public var canMaskInputs: Bool { false }

  public func passUnits(
    _ axes: LayerAxes, outputShape: Shape, in units: inout UnitRelations
  ) -> [UnitRelations.Axis] {
    for axis in axes.all { units.fix(axis) }
    return outputShape.map { size in
      let axis = units.axis(of: size)
      units.fix(axis)
      return axis
    }
  }

  /// The shape of the only input.
  public func single(_ inputs: [Shape]) throws(LayerError) -> Shape {
    guard inputs.count == 1 else {
      throw LayerError("takes one input, and has \(inputs.count)")
    }
    return inputs[0]
  }
}

/// Inputs that a layer cannot take.
public struct LayerError: Error, Equatable {
  public let problem: String

  /// An error that says what was found and what was expected, without the node's name.
  public init(_ problem: String) { self.problem = problem }
}

/// A tensor that a layer has.
public struct TensorDeclaration: Sendable {
  /// What a tensor does to the layer's output units, which are numbered by its first axis.
  public enum Role: Sendable {
    /// Multiplies: scaling a row scales the unit.
    case weight
    /// Is added to each unit, after the weights.
    case bias
    /// Statistics and the like.
    case other
    /// A whole number, which files keep as one.
    case count
  }

  /// How a new network's values are drawn.
  public enum Initializer: Sendable, Equatable {
    /// Uniform between −bound and bound.
    case uniform(bound: Float)
    case constant(Float)
  }

  /// As PyTorch calls it within the layer, `weight`.
  public let name: String
  public let shape: [Int]
  public let role: Role
  public let initializer: Initializer

  /// Whether weight decay applies.
  public let decays: Bool

  /// A declaration.
  public init(
    _ name: String, _ shape: [Int], role: Role, initializer: Initializer, decays: Bool = true
  ) {
    self.name = name
    self.shape = shape
    self.role = role
    self.initializer = initializer
    self.decays = decays
  }
}

/// The axes that meet in a layer, as ``Layer/passUnits(_:outputShape:in:)`` gets them.
public struct LayerAxes {
  /// Of each input, of each axis of a sample.
  public let inputs: [[UnitRelations.Axis]]
  /// Of each tensor that is learned, in the order of ``Layer/parameters(of:)``.
  public let parameters: [[UnitRelations.Axis]]
  /// Of each tensor that is kept.
  public let buffers: [[UnitRelations.Axis]]

  var all: [UnitRelations.Axis] { (inputs + parameters + buffers).flatMap { $0 } }
}
