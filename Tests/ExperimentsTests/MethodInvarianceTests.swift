import Merging
import Networks
import Testing

@testable import Experiments

/// Every merging method that lines members up leaves them the functions they are.
@Suite struct MethodInvarianceTests {
  @Test(arguments: ["9-12-5", "6-1-3", "8-30-20-4", "6-9-1-8-7-4", "7-4"])
  func `members lined up by any method compute what they did`(text: String) throws {
    let architecture = try #require(Architecture(text))
    let members = (0..<4).map {
      Network(architecture, random: RandomStream(seed: 3, "member", $0))
    }
    let check = InvarianceCheck(architecture)
    let methods = MergingMethod.all.filter { !$0.needsData }
    #expect(methods.contains { $0.name == MergingMethod.weightMatching.name })
    for method in methods {
      let merge = try method.merger(Recipe.default.experiment.merging).merge(members)
      for (number, (member, aligned)) in zip(members, merge.alignedMembers).enumerated() {
        let difference = check.difference(of: member, from: aligned)
        #expect(difference.isNegligible, "\(method.name), member \(number): \(difference)")
      }
    }
  }
}
