/// A learner as it is saved: arrays by name, and how far it is.
public struct LearnerState: Equatable, Sendable {
  /// A named array of a state.
  public struct Array: Equatable, Sendable {
    public let name: String
    public let values: [Float]

    /// A named array.
    public init(_ name: String, _ values: [Float]) {
      self.name = name
      self.values = values
    }
  }

  public var arrays: [Array]

  /// How many steps have been taken, of how many.
  public var step: Int
  public var steps: Int

  /// The sums of the present epoch.
  public var epochLoss: Double
  public var epochCorrect: Int

  /// A state that was saved.
  public init(arrays: [Array], step: Int, steps: Int, epochLoss: Double, epochCorrect: Int) {
    self.arrays = arrays
    self.step = step
    self.steps = steps
    self.epochLoss = epochLoss
    self.epochCorrect = epochCorrect
  }

  /// The array of a name, of a length.
  ///
  /// - Throws: ``LearnerStateError`` if it is not there or of another length.
  public func array(_ name: String, count: Int) throws(LearnerStateError) -> [Float] {
    guard let array = arrays.first(where: { $0.name == name }) else {
      throw LearnerStateError("the state has no \"\(name)\"")
    }
    guard array.values.count == count else {
      throw LearnerStateError(
        "\"\(name)\" has \(array.values.count) numbers, the learner needs \(count)")
    }
    return array.values
  }
}

/// A state that is not the learner's.
public struct LearnerStateError: Error, Equatable, CustomStringConvertible {
  public let description: String

  /// An error with the text a user sees.
  public init(_ description: String) { self.description = description }
}

extension Learner {
  /// Everything that the steps to come depend on, besides the batches.
  public var state: LearnerState {
    LearnerState(
      arrays: subject.state, step: step, steps: steps, epochLoss: epochLoss,
      epochCorrect: epochCorrect)
  }

  /// Goes on from a state that was saved, to the same bytes.
  ///
  /// - Throws: ``LearnerStateError`` if it is another learner's.
  public mutating func restore(_ state: LearnerState) throws(LearnerStateError) {
    guard state.steps == steps, (0...steps).contains(state.step) else {
      throw LearnerStateError(
        "the state is of step \(state.step) of \(state.steps), the learner takes \(steps)")
    }
    try subject.restore(state)
    (step, epochLoss, epochCorrect) = (state.step, state.epochLoss, state.epochCorrect)
  }
}
