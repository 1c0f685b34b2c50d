import Networks

/// A step of merging by the name the command line knows it by.
public struct MergeMethod: Sendable {
  public let name: String

  /// One line about the method.
  public let summary: String

  /// What it cannot do without.
  public let needs: Needs

  /// Whether all workers take the step together; else one takes it with all its threads, and the others rest.
  ///
  /// Where samples are sharded, all take every step that looks at images.
  public let isShared: Bool

  /// What workers other than the first need to take part, with some settings and members of some graph.
  public let othersNeed: @Sendable (SettingValues, Graph) -> Others

  /// What workers need to take part in a step.
  public enum Others: Sendable {
    /// The members, and what was made of them.
    case members
    /// The merged network.
    case network
    /// Nothing but the images.
    case nothing
  }

  /// Whether it sees members with batch normalisation as what they compute, each normalisation folded into the layer before it.
  public let folds: Bool

  private let obstacle: @Sendable (Graph) -> String?

  /// Whether it asks for nothing but tensors and their symmetry, so that networks that cannot be run merge by it.
  public let worksOnTensors: Bool

  /// Whether it works on one member and is no merge: what merges are held against.
  public let isControl: Bool

  /// In the order they are written in.
  public let settings: [SettingDeclaration]

  private let make: @Sendable (SettingValues) -> any MergeStep

  /// What a method may need besides the members.
  public enum Needs: Equatable, Sendable {
    case nothing
    /// Held-out images.
    case heldOutImages
    /// Training images, some methods with their labels.
    case trainingData
    /// Training images and the ensemble's predictions for them at a temperature.
    case predictions(temperature: Float)

    /// Whether it takes training images.
    public var data: Bool { self != .nothing && self != .heldOutImages }
  }

  /// A method.
  ///
  /// - Parameters:
  ///   - name: as the command line and the run folder spell it; lower case letters and hyphens.
  ///   - summary: one line about it.
  ///   - needs: what it cannot do without.
  ///   - isShared: whether all workers take the step together.
  ///   - othersNeed: what workers other than the first need to take part.
  ///   - folds: whether batch normalisations are folded while it works.
  ///   - obstacle: what keeps it from taking members of a graph, in words that follow its name; nil if nothing does.
  ///   - worksOnTensors: whether it can do with networks that cannot be run.
  ///   - isControl: whether it is no merge, but what merges are held against.
  ///   - settings: what may be set, ``Setting/declaration`` of each.
  ///   - make: gives the step for some settings.
  public init(
    _ name: String, _ summary: String, needs: Needs = .nothing, isShared: Bool = false,
    othersNeed: @escaping @Sendable (SettingValues, Graph) -> Others = { _, _ in .members },
    folds: Bool = false, obstacle: @escaping @Sendable (Graph) -> String? = { _ in nil },
    worksOnTensors: Bool = false, isControl: Bool = false, settings: [SettingDeclaration] = [],
    make: @escaping @Sendable (SettingValues) -> any MergeStep
  ) {
    self.name = name
    self.summary = summary
    self.needs = needs
    self.isShared = isShared
    self.othersNeed = othersNeed
    self.folds = folds
    self.obstacle = obstacle
    self.worksOnTensors = worksOnTensors
    self.isControl = isControl
    self.settings = settings
    self.make = make
  }

  /// Why the method cannot take members of a graph; nil if it can.
  public func problem(for graph: Graph) -> String? {
    if !graph.canRun, let problem = problemWithoutRunning { return problem }
    if let obstacle = obstacle(graph) { return "\(name): \(obstacle)" }
    guard folds else { return nil }
    do {
      _ = try FoldedGraph(graph)
      return nil
    } catch {
      return "\(name): \(error)"
    }
  }

  /// Why the method cannot take networks that are known by their tensors alone; nil if it can.
  public var problemWithoutRunning: String? {
    guard !worksOnTensors else { return nil }
    let others = MethodCatalog.standard.methods.filter(\.worksOnTensors).map(\.name)
    return
      "\(name): an exported network is known by its tensors and cannot be run, which this method needs; choose of "
      + others.joined(separator: ", ")
  }

  /// The step that does it.
  public func step(_ values: SettingValues = SettingValues()) -> any MergeStep { make(values) }
}
