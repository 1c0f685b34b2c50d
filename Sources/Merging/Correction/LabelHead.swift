import Networks
import RealModule
import Tensors

extension MergeMethod {
  public static let refitHeadLabels = MergeMethod(
    "refit-head-labels", "fits the merged network's last layer to the labels, by sums",
    needs: .trainingData, isShared: true, othersNeed: { _, _ in .network },
    settings: [LabelHead.fit.declaration, LabelHead.ridge.declaration]
  ) { LabelHead(fit: $0[LabelHead.fit], ridge: $0[LabelHead.ridge]) }
}

/// Fits the last layer of a network to the labels, from sums over samples alone: by ridge regression, in closed form, or by logistic
/// regression (``LogisticHead``).
///
/// Of the ridge regression:
///
/// With H what the layer reads, and a constant, and Y the one-hot labels, of samples as augmentation shows them:
///
///     [W b]ᵀ = s (HᵀH + λ N D)⁻¹ HᵀY,   D = diag(1, …, 1, 0)
///
/// The regression estimates class probabilities; as logits its outputs want one scale s. λ and s are those of the lowest cross
/// entropy of predictions that leave each sample (all views of it) out of its own fit, which takes no second regression:
///
///     ŷ₋ᵢ = yᵢ − (I − Hᵢ A⁻¹ Hᵢᵀ)⁻¹ (yᵢ − ŷᵢ),   A = HᵀH + λ N D.
///
/// Sums of moments of all clients make the head that all their data would give (as in FedNCM and Fed3R: Legate and others
/// 2023, Fanì and others 2024). Members whose data is skewed have skewed heads, and so has their mean.
public struct LabelHead: MergeStep {
  public static let fit = Setting("fit", Fit.ridge, "the regression of the labels")
  public static let ridge = Setting<Float?>(
    "ridge", nil, "above 0", "λ, a sample; none to choose it by leaving samples out"
  ) { $0 > 0 }

  /// What is fitted.
  public enum Fit: String, CaseIterable, Sendable {
    /// The labels as numbers, by least squares: one sum.
    case ridge
    /// Their probabilities: sixteen sums more, each as large as the head.
    case logistic
  }

  public let fit: Fit

  /// λ for each sample; nil to choose it.
  public let ridge: Float?

  /// The λ that are tried.
  private static let ridges: [Double] = [1e-5, 1e-4, 1e-3, 1e-2, 1e-1]
  /// The scales that are tried, a quarter of an octave apart.
  private static let scales: [Float] = (0..<36).map { Float.exp2(Float($0) / 4) }
  /// Samples that are left out in turn, in all, as many of each part; fewer if there are fewer.
  private static let judges = 4000

  private static let name = "refit-head-labels"

  /// The method.
  public init(fit: Fit = .ridge, ridge: Float? = nil) {
    self.fit = fit
    self.ridge = ridge
  }

  public func apply(to state: inout MergeState, with resources: MergeResources) throws {
    let graph = state.graph
    let node = graph.nodes.count - 1
    guard graph.nodes[node].layer is Dense else {
      throw MergeError(
        "\(Self.name): the networks end in \(graph.nodes[node].name), which is no dense layer")
    }
    switch fit {
    case .ridge: try fitRidge(node, of: &state, with: resources)
    case .logistic:
      try LogisticHead(ridge: ridge).apply(to: &state, with: resources, for: Self.name)
    }
  }

  private func fitRidge(
    _ node: Int, of state: inout MergeState, with resources: MergeResources
  ) throws {
    let sums = try resources.sums(for: Self.name)
    var network = state.network
    let graph = network.graph
    let features = LayerInputs(of: network, node)
    let equations = try sums.labelEquations(features, classes: graph.outputs, for: Self.name)
    resources.onStep(1, 2)
    let ridges = ridge.map { [Double($0)] } ?? Self.ridges
    let fits = concurrentMap(ridges.count, threads: resources.threads) {
      RidgeFit(equations, ridges[$0])
    }.compactMap { $0 }
    guard !fits.isEmpty else {
      throw MergeError(
        "\(Self.name): the least squares of \(graph.nodes[node].name) have no solution"
          + (ridge.map { " at ridge=\($0): try a larger one" } ?? ""),
        isAboutWeights: !equations.sums.allSatisfy(\.isFinite))
    }
    let most = (Self.judges + sums.partCount - 1) / sums.partCount
    let losses = try sums.sum(of: fits.count * Self.scales.count) { part -> [Double] in
      fits.flatMap { $0.lossesLeavingOut(part, features, scales: Self.scales, most: most) }
    }
    let best = losses.indices.reduce(0) { losses[$1] < losses[$0] ? $1 : $0 }
    let fit = fits[best / Self.scales.count]
    let scale = Self.scales[best % Self.scales.count]
    network.setLayer(
      node, (fit.layer.weights.map { scale * $0 }, fit.layer.biases.map { scale * $0 }))
    state.replaceNetwork(by: network)
    resources.onStep(2, 2)
  }
}

extension SampleSums {
  /// Normal equations of the labels, one-hot, over samples as augmentation shows them.
  ///
  /// - Parameters:
  ///   - features: what is read.
  ///   - classes: how many classes there are.
  ///   - method: what needs labels, for the error.
  /// - Returns: the sums.
  /// - Throws: on every worker, if a message does, or there are no labels.
  func labelEquations(
    _ features: LayerInputs, classes: Int, for method: String
  ) throws -> NormalEquations {
    try equations(
      features: features.count, targets: classes, withViews: true, needingLabelsFor: method
    ) { inputs, count, labels in
      (features.of(inputs, rows: count), oneHot(labels, classes: classes))
    }
  }
}

/// Samples × classes, 1 at each label.
private func oneHot(_ labels: ArraySlice<Int>, classes: Int) -> [Float] {
  var result = [Float](repeating: 0, count: labels.count * classes)
  for (row, label) in labels.enumerated() { result[row * classes + label] = 1 }
  return result
}

/// A ridge regression, with what it takes to leave samples out.
struct RidgeFit: Sendable {
  let layer: (weights: [Float], biases: [Float])
  /// L⁻¹ with L Lᵀ = HᵀH + λ N D, lower triangular.
  private let inverse: Matrix

  /// The fit of some equations; nil if λ is too small for them.
  init?(_ equations: NormalEquations, _ ridge: Double) {
    guard let fit = try? equations.layerAndInverse(ridge: ridge) else { return nil }
    (layer, inverse) = fit
  }

  /// The cross entropy at each scale, summed over samples of a part that are left out in turn.
  func lossesLeavingOut(
    _ part: SampleSums.Part, _ features: LayerInputs, scales: [Float], most: Int
  ) -> [Double] {
    let classes = layer.biases.count
    var losses = [Double](repeating: 0, count: scales.count)
    var buffer = [Float](repeating: 0, count: SampleShards.chunkSize * part.samples.features)
    var left = most
    for chunk in part.chunks where left > 0 {
      let chunk = chunk.prefix(left)
      left -= chunk.count
      let views = part.samples.views.map { view -> View in
        view.write(chunk, into: &buffer)
        return View(features.of(buffer, rows: chunk.count), features.count, layer, inverse)
      }
      var logits = [Float](repeating: 0, count: classes)
      var shares = [Float](repeating: 0, count: classes)
      for (row, sample) in chunk.enumerated() {
        let label = part.labels[sample]
        predictLeavingOut(row, views, label, into: &logits)
        for (place, scale) in scales.enumerated() {
          let logSum = logits.withUnsafeBufferPointer { z in
            shares.withUnsafeMutableBufferPointer { shares -> Float in
              guard let z = z.baseAddress, let shares = shares.baseAddress else { return 0 }
              return softmaxRow(z, classes: classes, inverseTemperature: scale, into: shares)
            }
          }
          losses[place] += Double(logSum - scale * logits[label])
        }
      }
    }
    return losses
  }

  /// A view of some samples: L⁻¹Hᵀ by row, and what the regression gives them.
  private struct View {
    let whitened: Matrix
    let outputs: Matrix

    init(
      _ h: [Float], _ count: Int, _ layer: (weights: [Float], biases: [Float]), _ inverse: Matrix
    ) {
      let rows = h.count / count
      var features = Matrix(rows: rows, columns: count + 1)
      for row in 0..<rows {
        for column in 0..<count { features[row, column] = h[row * count + column] }
        features[row, count] = 1
      }
      var whitened = Matrix(rows: rows, columns: count + 1)
      features.withView { features in
        inverse.withView { inverse in
          whitened.withMutableView { multiply(features, inverse.transposed, into: $0) }
        }
      }
      self.whitened = whitened
      let classes = layer.biases.count
      var weights = Matrix(rows: classes, columns: count + 1)
      for c in 0..<classes {
        for column in 0..<count { weights[c, column] = layer.weights[c * count + column] }
        weights[c, count] = layer.biases[c]
      }
      var outputs = Matrix(rows: rows, columns: classes)
      features.withView { features in
        weights.withView { weights in
          outputs.withMutableView { multiply(features, weights.transposed, into: $0) }
        }
      }
      self.outputs = outputs
    }

    /// Hᵢ A⁻¹ Hⱼᵀ of a sample in this view and in another.
    func leverage(_ row: Int, with other: View) -> Float {
      var sum: Float = 0
      for column in 0..<whitened.columns {
        sum = Relaxed.multiplyAdd(whitened[row, column], other.whitened[row, column], sum)
      }
      return sum
    }
  }

  /// What a fit without a sample gives its first view.
  private func predictLeavingOut(
    _ row: Int, _ views: [View], _ label: Int, into logits: inout [Float]
  ) {
    // Far from 1 it stays: a sample that fits itself alone has leverage 1.
    func rest(_ leverage: Float) -> Float { max(1 - leverage, 1e-4) }
    func residual(_ view: View, _ c: Int) -> Float { (c == label ? 1 : 0) - view.outputs[row, c] }
    let first = rest(views[0].leverage(row, with: views[0]))
    for c in logits.indices {
      var left = residual(views[0], c) / first
      if views.count > 1 {
        let second = rest(views[1].leverage(row, with: views[1]))
        let both = views[0].leverage(row, with: views[1])
        let determinant = max(first * second - both * both, 1e-6)
        left = (second * residual(views[0], c) + both * residual(views[1], c)) / determinant
      }
      logits[c] = (c == label ? 1 : 0) - left
    }
  }
}
