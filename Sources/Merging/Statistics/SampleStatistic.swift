import Networks

/// A sum over training samples of something that networks compute: what methods that look at data are made of.
///
/// It is data, not code: it travels to whoever holds samples as flat arrays (``header``, ``parameters``), and a
/// sum over all samples is the sum of those over parts of them.
public struct SampleStatistic: Equatable, Sendable {
  /// What is summed.
  ///
  /// Layers count from 0; the layer has n units, and K is the number of networks.
  public enum Kind: Equatable, Sendable {
    /// Of each network in turn: Σ z and Σ z² of the layer's units before the ReLU. K × 2 × n numbers.
    case preActivationMoments(layer: Int)

    /// Of each network in turn Σ h and Σ h² of the layer's units after the ReLU, then Σ h_0 h_mᵀ (n × n, row by row)
    /// for every network m but the first. K × 2 × n + (K − 1) × n² numbers.
    case activationProducts(layer: Int)

    /// HᵀH ((i + 1)²) and HᵀT ((i + 1) × n), row by row, with i the layer's inputs. A row of H is what the first network
    /// gives the layer, and a 1; one of T the mean over the other networks of their units before the ReLU.
    case normalEquations(layer: Int)

    /// Which layer of the networks it is about.
    public var layer: Int {
      switch self {
      case .preActivationMoments(let layer), .activationProducts(let layer),
        .normalEquations(let layer):
        layer
      }
    }

    fileprivate var leastNetworks: Int {
      if case .normalEquations = self { 2 } else { 1 }
    }

    fileprivate var code: Int {
      switch self {
      case .preActivationMoments: 0
      case .activationProducts: 1
      case .normalEquations: 2
      }
    }

    fileprivate init?(code: Int, layer: Int) {
      switch code {
      case 0: self = .preActivationMoments(layer: layer)
      case 1: self = .activationProducts(layer: layer)
      case 2: self = .normalEquations(layer: layer)
      default: return nil
      }
    }
  }

  public let kind: Kind

  /// The networks, cut off after ``Kind/layer``: their outputs are its units before the ReLU.
  let networks: [Network]

  /// A statistic of networks.
  ///
  /// - Parameters:
  ///   - kind: what is summed; of a layer that the networks have.
  ///   - networks: at least one, of one architecture; two for normal equations.
  public init(_ kind: Kind, of networks: [Network]) {
    self.init(kind, cutOff: networks.map { $0.truncated(to: kind.layer) })
  }

  private init(_ kind: Kind, cutOff networks: [Network]) {
    precondition(
      networks.count >= kind.leastNetworks, "\(kind) of \(networks.count) networks")
    precondition(
      networks.allSatisfy { $0.architecture == networks[0].architecture },
      "a statistic of networks of several architectures")
    self.kind = kind
    self.networks = networks
  }

  /// The layer's shape.
  var layer: DenseLayer { networks[0].architecture.layers[kind.layer] }

  /// How many numbers the sum has.
  public var count: Int {
    let (units, inputs) = (layer.outputs, layer.inputs)
    return switch kind {
    case .preActivationMoments: networks.count * 2 * units
    case .activationProducts:
      networks.count * 2 * units + (networks.count - 1) * units * units
    case .normalEquations: (inputs + 1) * (inputs + 1 + units)
    }
  }
}

// MARK: - As flat arrays

extension SampleStatistic {
  /// The kind, its layer, how many networks there are, and their widths up to the layer.
  public var header: [Int] {
    [kind.code, kind.layer, networks.count] + networks[0].architecture.widths
  }

  /// The networks' parameters up to the layer, one network after another.
  public var parameters: [Float] { networks.flatMap(\.parameters) }

  /// The statistic whose ``header`` and ``parameters`` these are; nil if they are no statistic's.
  public init?(header: [Int], parameters: [Float]) {
    guard header.count >= 5, let kind = Kind(code: header[0], layer: header[1]),
      let architecture = Architecture(widths: Array(header[3...])),
      architecture.layers.count == kind.layer + 1, header[2] >= kind.leastNetworks,
      parameters.count == header[2] * architecture.parameterCount
    else { return nil }
    let size = architecture.parameterCount
    self.init(
      kind,
      cutOff: (0..<header[2]).map {
        Network(architecture, parameters: Array(parameters[$0 * size..<($0 + 1) * size]))
      })
  }
}
