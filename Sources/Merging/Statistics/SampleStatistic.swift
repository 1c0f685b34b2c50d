import Networks
import Tensors

/// A sum over training samples of something that networks compute: what methods that look at data are made of.
///
/// A sum over all samples is the sum of those over parts of them, which a team shares.
public struct SampleStatistic: Sendable {
  /// What is summed, of a node with n outputs and K networks.
  public enum Kind: Sendable {
    /// Of each network in turn: Σ z and Σ z² of the node's outputs. K × 2 × n numbers.
    case moments

    /// Of each network in turn Σ h and Σ h² of the node's outputs, then Σ h_0 h_mᵀ (n × n, row by row)
    /// for every network m but the first. K × 2 × n + (K − 1) × n² numbers.
    case products

    /// Of a node that reads i numbers: HᵀH ((i + 1)²) and HᵀT ((i + 1) × n), row by row. A row of H is what the first
    /// network gives the node, and a 1; one of T the mean over the other networks of the node's outputs.
    case normalEquations
  }

  public let kind: Kind

  /// How many outputs the node has, and how many numbers it reads.
  let units: Int
  let inputs: Int

  /// The networks, cut off after the node; of normal equations without the first.
  private let networks: [Network]

  /// Of normal equations, what gives the node its inputs in the first network; nil where those are the samples.
  private let below: Network?

  /// A statistic of networks.
  ///
  /// - Parameters:
  ///   - kind: what is summed.
  ///   - node: of the networks' graph.
  ///   - networks: at least one, of one graph; two for normal equations, the first of which may have other widths.
  public init(_ kind: Kind, at node: Int, of networks: [Network]) {
    precondition(
      networks.count >= (kind == .normalEquations ? 2 : 1), "\(kind) of \(networks.count) networks")
    let graph = networks[kind == .normalEquations ? 1 : 0].graph
    let part = graph.part(upTo: node)
    self.kind = kind
    units = part.graph.outputs
    let source = graph.inputs(of: node)[0]
    if kind == .normalEquations {
      self.networks = networks.dropFirst().map { $0.part(part) }
      below = source.map { networks[0].part(upTo: $0) }
    } else {
      self.networks = networks.map { $0.part(part) }
      below = nil
    }
    inputs =
      below?.graph.outputs ?? source.map { graph.part(upTo: $0).graph.outputs } ?? graph.inputs
  }

  /// How many numbers the sum has.
  public var count: Int {
    switch kind {
    case .moments: networks.count * 2 * units
    case .products: networks.count * 2 * units + (networks.count - 1) * units * units
    case .normalEquations: (inputs + 1) * (inputs + 1 + units)
    }
  }

  /// The sum over some runs of samples, on this thread.
  ///
  /// - Parameters:
  ///   - samples: all of them.
  ///   - chunks: as ``SampleShards/chunks(of:)`` gives them.
  /// - Returns: ``count`` numbers.
  public func sum(over samples: any Samples, _ chunks: [Range<Int>]) -> [Double] {
    var sums = [Double](repeating: 0, count: count)
    var buffer = [Float](repeating: 0, count: SampleShards.chunkSize * samples.features)
    for chunk in chunks {
      samples.write(chunk, into: &buffer)
      accumulate(inputs: buffer, rows: chunk.count, into: &sums)
    }
    return sums
  }

  /// Adds what a chunk of samples contributes.
  ///
  /// Products over the chunk are taken in single precision, sums over units' values and over chunks in double: the
  /// result is good to about 10⁻⁶ of the largest term. One thread; the bits depend on how samples are cut into chunks.
  ///
  /// - Parameters:
  ///   - inputs: the samples, rows × features; may be longer.
  ///   - rows: how many samples; a thousand fill the vector units well.
  ///   - sums: ``count`` numbers, added to.
  public func accumulate(inputs: [Float], rows: Int, into sums: inout [Double]) {
    precondition(sums.count == count, "\(sums.count) sums for a statistic of \(count)")
    guard rows > 0 else { return }
    switch kind {
    case .moments:
      for (place, network) in networks.enumerated() {
        addColumnMoments(
          network.outputs(inputs, rows: rows), rows: rows, columns: units, to: &sums,
          at: place * 2 * units)
      }
    case .products: addProducts(inputs, rows, to: &sums)
    case .normalEquations: addNormalEquations(inputs, rows, to: &sums)
    }
  }

  private func addProducts(_ inputs: [Float], _ rows: Int, to sums: inout [Double]) {
    let products = networks.count * 2 * units
    var reference: [Float] = []
    for (place, network) in networks.enumerated() {
      let activations = network.outputs(inputs, rows: rows)
      addColumnMoments(
        activations, rows: rows, columns: units, to: &sums, at: place * 2 * units)
      if place == 0 {
        reference = activations
      } else {
        addProduct(
          reference, units, activations, units, rows: rows, to: &sums,
          at: products + (place - 1) * units * units, stride: units)
      }
    }
  }

  private func addNormalEquations(_ samples: [Float], _ rows: Int, to sums: inout [Double]) {
    let features = below?.outputs(samples, rows: rows) ?? samples
    let targets = mean(of: networks.map { $0.outputs(samples, rows: rows) })
    NormalEquations.add(features, inputs, targets, units, rows: rows, to: &sums)
  }
}
