import Networks
import Testing

@testable import Merging

/// What holds of every merging method.
@Suite struct MethodInvarianceTests {
  @Test(arguments: ["9-12-5", "6-1-3", "8-30-20-4", "6-9-1-8-7-4", "7-4"])
  func `members lined up by any method compute what they did`(text: String) throws {
    let architecture = try #require(Architecture(text))
    let members = (0..<4).map {
      Network(architecture, random: RandomStream(seed: 3, "member", $0))
    }
    let batches = RandomBatches(labelledBy: members[0], count: 96, seed: 1)
    let context = MergeContext(
      batches: batches,
      taughtBatches: { _ in UniformlyTaught(batches, classes: architecture.outputs) },
      sums: InMemorySums(batches.inputs, features: batches.features),
      validate: { Double($0.parameters[0]) })
    var settings = MergeSettings.standard
    settings.permAVG.epochs = 1
    settings.learning.epochs = 1
    settings.unitWeights.epochs = 1
    settings.fineTuning.epochs = 1

    let check = InvarianceCheck(architecture)
    for method in MergingMethod.all {
      let merge = try method.merger(settings).merge(members, in: context)
      #expect(merge.network.isFinite)
      for (number, (member, aligned)) in zip(members, merge.alignedMembers).enumerated() {
        let difference = check.difference(of: member, from: aligned)
        #expect(difference.isNegligible, "\(method.name), member \(number): \(difference)")
      }
    }
  }
}

/// Batches with the same soft target for every class.
private struct UniformlyTaught: BatchSource {
  private var source: RandomBatches
  private let classes: Int

  init(_ source: RandomBatches, classes: Int) {
    self.source = source
    self.classes = classes
  }

  var batchSize: Int { source.batchSize }
  var batchesPerEpoch: Int { source.batchesPerEpoch }
  var features: Int { source.features }
  var sampleCount: Int { source.sampleCount }

  mutating func startEpoch(_ epoch: Int) { source.startEpoch(epoch) }

  func fill(_ batch: inout Batch, with index: Int) {
    source.fill(&batch, with: index)
    batch.targets = Array(repeating: 1 / Float(classes), count: batch.capacity * classes)
  }
}
