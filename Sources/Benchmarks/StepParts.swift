import Datasets
import Experiments
import Networks
import Tensors

/// The parts of one training step, from the public pieces that the trainer is made of.
///
/// Each is timed where it stands in a step, so that it finds the caches as the part before left them. The
/// clock is read six times a step, which costs less than a microsecond.
struct StepParts {
  private let settings: BenchmarkSettings
  private let batches: FirstBatches<ImageBatches>

  init(_ settings: BenchmarkSettings, _ batches: FirstBatches<ImageBatches>) {
    self.settings = settings
    self.batches = batches
  }

  /// One row a part; a repeat is one step.
  func measure() -> [BenchmarkReport.Row] {
    let settings = settings
    let training = settings.experiment.training
    var batches = batches
    batches.startEpoch(1)
    var network = settings.network(0)
    var batch = Batch(capacity: batches.batchSize, features: batches.features)
    var workspace = Workspace(
      network.graph, capacity: batches.batchSize, threads: settings.threads)
    var gradient = [Float](repeating: 0, count: network.parameters.count)
    var optimizer = SGD(
      network.graph, momentum: training.momentum, weightDecay: training.weightDecay)

    var (assembly, forward, loss, backward, step) =
      ([Double](), [Double](), [Double](), [Double](), [Double]())
    // The last batch may be smaller than the others.
    let whole = max(min(batches.batchesPerEpoch, batches.sampleCount / batches.batchSize), 1)
    let warmUp = min(5, whole)
    for count in 0..<warmUp + max(whole, 20) {
      let assemblySeconds = elapsed { batches.fill(&batch, with: count % whole) }
      let forwardSeconds = elapsed {
        network.forward(batch.inputs, rows: batch.count, workspace: &workspace)
      }
      let lossSeconds = elapsed { _ = CrossEntropy().evaluate(batch, workspace: &workspace) }
      let backwardSeconds = elapsed {
        network.backward(
          batch.inputs, rows: batch.count, workspace: &workspace, gradient: &gradient)
      }
      let stepSeconds = elapsed {
        optimizer.step(
          &network.parameters, gradient: gradient, learningRate: training.learningRate / 100,
          threads: settings.threads)
      }
      guard count >= warmUp else { continue }
      assembly.append(assemblySeconds)
      forward.append(forwardSeconds)
      loss.append(lossSeconds)
      backward.append(backwardSeconds)
      step.append(stepSeconds)
    }

    let images = Double(batch.count)
    let products = timeProducts(rows: batch.count)
    let passes = Timing(forward.indices.map { forward[$0] + loss[$0] + backward[$0] })
    func row(_ name: String, _ timing: Timing) -> BenchmarkReport.Row {
      timing.row("step: \(name)", amount: images, unit: "images/s")
    }
    var other = row("other passes", passes)
    other.seconds = passes.median - products.median
    other.minimum = passes.minimum - products.minimum
    other.rate = images / other.seconds
    return [
      row("batch assembly", Timing(assembly)), row("forward", Timing(forward)),
      row("loss", Timing(loss)), row("backward", Timing(backward)), row("optimiser", Timing(step)),
      row("products", products), other,
    ]
  }

  /// All matrix products of one step, one after another.
  private func timeProducts(rows: Int) -> Timing {
    let products = DenseShape.all(of: settings.architecture).flatMap { layer in
      LayerProduct.allCases.compactMap { ProductTimer($0, of: layer, rows: rows) }
    }
    return Timing(repeats: max(settings.repeats, 5)) {
      for product in products { product.run(.tiled(threads: settings.threads)) }
    }
  }
}
