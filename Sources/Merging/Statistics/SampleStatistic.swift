import Networks
import Tensors

/// A sum over training samples of something that networks compute: what methods that look at data are made of.
///
/// A sum over all samples is the sum of those over parts of them, which a team shares. Where a node's value is an image, its channels
/// are the units, and every pixel of a sample counts as one.
public struct SampleStatistic: Sendable {
  /// What is summed, of nodes with n units and K networks.
  public enum Kind: Sendable {
    /// Of each network in turn: Σ z and Σ z² of the node's units. K × 2 × n numbers a node.
    case moments

    /// Of each network in turn Σ h and Σ h² of the node's units, then Σ h_0 h_mᵀ (n × n, row by row)
    /// for every network m but the first. K × 2 × n + (K − 1) × n² numbers a node.
    case products

    /// Of one node, whose units read i numbers each: HᵀH ((i + 1)²) and HᵀT ((i + 1) × n), row by row. A row of H is what the first
    /// network gives the node, and a 1; one of T the mean over the other networks of the node's units.
    case normalEquations
  }

  public let kind: Kind

  /// A node that is looked at.
  struct Site: Sendable {
    /// How many units, and how many pixels each sample has.
    let units: Int
    let pixels: Int
    /// Where its numbers are among the sums.
    let range: Range<Int>
  }

  let sites: [Site]

  /// The networks, cut off after the nodes; of normal equations without the first.
  private let views: [NetworkView]

  /// Of normal equations, what the first network gives the node.
  private let features: LayerInputs?

  /// A statistic of networks at one node.
  ///
  /// - Parameters:
  ///   - kind: what is summed.
  ///   - node: of the networks' graph.
  ///   - networks: at least one, of one graph; two for normal equations, the first of which may have other widths.
  public init(_ kind: Kind, at node: Int, of networks: [Network]) {
    self.init(kind, at: [node], of: networks)
  }

  /// A statistic of networks at some nodes, node after node, of one pass over the samples.
  ///
  /// - Parameters:
  ///   - kind: what is summed.
  ///   - nodes: of the networks' graph; one for normal equations.
  ///   - networks: as for one node.
  public init(_ kind: Kind, at nodes: [Int], of networks: [Network]) {
    let isFit = kind == .normalEquations
    precondition(networks.count >= (isFit ? 2 : 1), "\(kind) of \(networks.count) networks")
    precondition(!isFit || nodes.count == 1, "normal equations of \(nodes.count) nodes")
    self.kind = kind
    features = isFit ? LayerInputs(of: networks[0], nodes[0]) : nil
    views = (isFit ? networks.dropFirst() : networks[...]).map { NetworkView(nodes, of: $0) }
    let graph = networks[isFit ? 1 : 0].graph
    var end = 0
    var sites: [Site] = []
    for node in nodes {
      let (units, pixels) = graph.unitsAndPixels(of: node)
      let count =
        switch kind {
        case .moments: networks.count * 2 * units
        case .products: networks.count * 2 * units + (networks.count - 1) * units * units
        case .normalEquations: ((features?.count ?? 0) + 1) * ((features?.count ?? 0) + 1 + units)
        }
      sites.append(Site(units: units, pixels: pixels, range: end..<end + count))
      end += count
    }
    self.sites = sites
  }

  /// How many units the first node has, and how many numbers each reads that is to be fitted.
  var units: Int { sites[0].units }
  var inputs: Int { features?.count ?? 0 }

  /// How many numbers the sum has.
  public var count: Int { sites.last?.range.upperBound ?? 0 }

  /// The sum over some runs of samples, on this thread.
  ///
  /// - Parameters:
  ///   - samples: all of them.
  ///   - chunks: as ``SampleShards/chunks(of:)`` gives them.
  /// - Returns: ``count`` numbers.
  public func sum(over samples: any Samples, _ chunks: [Range<Int>]) -> [Double] {
    var sums = [Double](repeating: 0, count: count)
    let atATime = min(views[0].rowsAtATime, features?.rowsAtATime ?? .max)
    var buffer = [Float](
      repeating: 0, count: min(SampleShards.chunkSize, atATime) * samples.features)
    for chunk in chunks.flatMap({ $0.cut(into: atATime) }) {
      samples.write(chunk, into: &buffer)
      accumulate(inputs: buffer, rows: chunk.count, into: &sums)
    }
    return sums
  }

  /// Adds what some samples contribute.
  ///
  /// Products over them are taken in single precision, sums over units' values and over calls in double: the
  /// result is good to about 10⁻⁶ of the largest term. One thread; the bits depend on how samples are cut into chunks.
  ///
  /// - Parameters:
  ///   - inputs: the samples, rows × features; may be longer.
  ///   - rows: how many samples; a thousand fill the vector units well.
  ///   - sums: ``count`` numbers, added to.
  public func accumulate(inputs: [Float], rows: Int, into sums: inout [Double]) {
    precondition(sums.count == count, "\(sums.count) sums for a statistic of \(count)")
    guard rows > 0 else { return }
    if let features {
      let targets = mean(of: views.map { $0.values(inputs, rows: rows)[0] })
      NormalEquations.add(
        features.of(inputs, rows: rows), features.count, targets, sites[0].units,
        rows: rows * sites[0].pixels, to: &sums)
    } else {
      add(inputs, rows, to: &sums)
    }
  }

  private func add(_ inputs: [Float], _ rows: Int, to sums: inout [Double]) {
    var reference: [[Float]] = []
    for (number, view) in views.enumerated() {
      let values = view.values(inputs, rows: rows)
      if number == 0 { reference = values }
      for (place, site) in sites.enumerated() {
        let (units, count) = (site.units, rows * site.pixels)
        addColumnMoments(
          values[place], rows: count, columns: units, to: &sums,
          at: site.range.lowerBound + number * 2 * units)
        guard kind == .products, number > 0 else { continue }
        addProduct(
          reference[place], units, values[place], units, rows: count, to: &sums,
          at: site.range.lowerBound + views.count * 2 * units + (number - 1) * units * units,
          stride: units)
      }
    }
  }
}

extension Range<Int> {
  /// The range in runs of some length, the last perhaps shorter.
  func cut(into length: Int) -> [Range<Int>] {
    stride(from: lowerBound, to: upperBound, by: length).map {
      $0..<Swift.min($0 + length, upperBound)
    }
  }
}
