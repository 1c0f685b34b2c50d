import Networks
import Tensors
import Testing

@testable import Training

/// What members tell each other while they train.
@Suite struct ExchangeTests {
  private let graph = Graph("5-40-30-3")

  /// Members that differ, with momentum that differs too.
  private func population(_ count: Int = 4, samples: [Int]? = nil) throws -> Population {
    let graph = try #require(graph)
    return Population(
      (0..<count).map { member in
        var descent = GradientDescent(
          Network(graph, random: RandomStream(seed: 1, "member", member)), learningRate: 0.1,
          momentum: 0.9, weightDecay: 0)
        var random = RandomStream(seed: 2, "velocity", member)
        descent.velocity = descent.velocity.map { _ in random.normal() }
        return descent
      }, of: graph, sampleCounts: samples ?? Array(repeating: 100, count: count))
  }

  private func exchange(
    _ text: String, _ members: Population, number: Int = 1, of count: Int = 10,
    rateFactor: Float = 1
  ) throws -> Population {
    var result = members
    var exchange = try Coupling(parsing: text).makeExchange()
    exchange.begin(from: members[0].network.parameters)
    try exchange.exchange(
      &result, at: ExchangeMoment(number: number, of: count, rateFactor: rateFactor, seed: 5),
      with: ThreadTeam(threads: 2))
    return result
  }

  private func parameters(_ members: Population) -> [[Float]] {
    members.held.map { members[$0].network.parameters }
  }

  private func mean(_ members: Population, _ weights: [Double]) -> [Float] {
    let all = parameters(members)
    return all[0].indices.map { i in
      Float(zip(all, weights).reduce(0) { $0 + Double($1.0[i]) * $1.1 })
    }
  }

  private func largestDifference(_ a: [Float], _ b: [Float]) -> Float {
    zip(a, b).reduce(0) { max($0, abs($1.0 - $1.1)) }
  }

  @Test func `federated averaging gives all the mean, weighted by samples`() throws {
    let members = try population(samples: [100, 300, 400, 200])
    for (text, weights) in [
      ("fedavg", [0.1, 0.3, 0.4, 0.2]), ("fedavg(weights=equal)", [0.25, 0.25, 0.25, 0.25]),
      ("papa-all", [0.25, 0.25, 0.25, 0.25]),
    ] {
      let after = parameters(try exchange(text, members))
      let expected = mean(members, weights)
      for own in after {
        #expect(own == after[0] && largestDifference(own, expected) < 1e-6, "\(text)")
      }
    }
  }

  @Test func `momentum is kept, reset or averaged`() throws {
    let members = try population()
    let before = members.held.map { members[$0].velocity }
    func after(_ text: String) throws -> [[Float]] {
      let result = try exchange(text, members)
      return result.held.map { result[$0].velocity }
    }
    #expect(try after("fedavg(momentum=keep)") == before)
    #expect(try after("fedavg").allSatisfy { $0.allSatisfy { $0 == 0 } })
    let averaged = try after("fedavg(momentum=mean)")
    for i in before[0].indices {
      let mean = before.reduce(0) { $0 + $1[i] } / 4
      #expect(averaged.allSatisfy { abs($0[i] - mean) < 1e-6 })
    }
  }

  @Test func `a pull leaves the mean where it is and members nearer to it`() throws {
    let members = try population()
    for (text, factor, share) in [
      ("papa(pull=2)", Float(1), Float(0.2)), ("papa(pull=2)", 0.5, 0.1),
      ("papa(pull=50)", 0.5, 0.5),
    ] {
      let after = try exchange(text, members, rateFactor: factor)
      let quarter = [0.25, 0.25, 0.25, 0.25]
      let center = mean(members, quarter)
      #expect(largestDifference(mean(after, quarter), center) < 1e-6)
      for (own, old) in zip(parameters(after), parameters(members)) {
        let expected = zip(old, center).map { $0 + share * ($1 - $0) }
        #expect(largestDifference(own, expected) < 1e-6, "\(text) at \(factor)")
      }
      #expect(after[1].velocity == members[1].velocity)
    }
  }

  @Test(arguments: ["wash(share=0.2)", "wash(share=0.2,momentum=shuffle)", "wash(share=1)"])
  func `shuffling moves values between members and changes none`(text: String) throws {
    let members = try population()
    let after = try exchange(text, members)
    let (old, new) = (parameters(members), parameters(after))
    for i in old[0].indices {
      #expect(old.map { $0[i] }.sorted() == new.map { $0[i] }.sorted())
    }
    // Of three layers with weights the first has p, the second two thirds and the third a third of it.
    let share = text.contains("0.2") ? 0.2 : 1
    for (depth, tensor) in try #require(graph).tensors.filter({ $0.name.hasSuffix("weight") })
      .enumerated()
    {
      // One in 4! permutations moves nothing, and a member keeps its own in one of four.
      let moved = tensor.range.count { i in old.indices.contains { old[$0][i] != new[$0][i] } }
      let expected = share * (1 - Double(depth) / 3) * 23 / 24 * Double(tensor.range.count)
      #expect(abs(Double(moved) - expected) < 4 * expected.squareRoot() + 1, "\(tensor.name)")
    }
    for member in 0..<4 {
      if text.contains("shuffle") {
        for i in old[0].indices where old[member][i] != new[member][i] {
          let from = try #require(old.firstIndex { $0[i] == new[member][i] })
          #expect(after[member].velocity[i] == members[from].velocity[i])
        }
      } else {
        #expect(after[member].velocity == members[member].velocity)
      }
    }
    #expect(parameters(try exchange(text, members)) == new)
    #expect(parameters(try exchange(text, members, number: 2)) != new)
  }

  @Test func `an outer optimiser without momentum at rate 1 is federated averaging`() throws {
    let members = try population()
    let outer = parameters(try exchange("diloco(outer-rate=1,outer-momentum=0)", members))
    let average = parameters(try exchange("fedavg", members))
    #expect(largestDifference(outer[0], average[0]) < 1e-6 && outer[2] == outer[0])
  }

  /// PyTorch's SGD with Nesterov momentum: buf = μ buf + g, w ← w − η (g + μ buf).
  @Test func `the outer optimiser takes Nesterov's steps`() throws {
    var members = try population()
    var exchange = try Coupling(parsing: "diloco(outer-rate=0.5,outer-momentum=0.8)").makeExchange()
    var weights = members[0].network.parameters.map(Double.init)
    var buffer = weights.map { _ in 0.0 }
    exchange.begin(from: members[0].network.parameters)
    for number in 1...3 {
      let center = mean(members, [0.25, 0.25, 0.25, 0.25])
      for i in weights.indices {
        let gradient = weights[i] - Double(center[i])
        buffer[i] = 0.8 * buffer[i] + gradient
        weights[i] -= 0.5 * (gradient + 0.8 * buffer[i])
      }
      try exchange.exchange(
        &members, at: ExchangeMoment(number: number, of: 3, rateFactor: 1, seed: 1),
        with: ThreadTeam())
      for own in parameters(members) {
        #expect(largestDifference(own, weights.map { Float($0) }) < 1e-5)
      }
      // Members train on, each its own way.
      for member in 0..<4 {
        var random = RandomStream(seed: 9, "step", member, number)
        for i in weights.indices { members[member].network.parameters[i] += 0.1 * random.normal() }
      }
    }
  }

  // MARK: - When

  @Test func `periods are epochs of each member, or steps that end together`() {
    #expect(
      ExchangePeriod.epochs(2).stops(epochs: 5, batches: [10, 3]) == [
        [20, 6], [40, 12], [50, 15],
      ])
    #expect(ExchangePeriod.epochs(9).stops(epochs: 5, batches: [10]) == [[50]])
    let stops = ExchangePeriod.steps(15).stops(epochs: 4, batches: [10, 5, 1])
    #expect(stops.map { $0[0] } == [15, 30, 40])
    #expect(stops.map { $0[1] } == [7, 15, 20] && stops.map { $0[2] } == [1, 3, 4])
    #expect(
      ExchangePeriod.steps(1).stops(epochs: 1, batches: [3, 3]) == [[1, 1], [2, 2], [3, 3]])
  }

  @Test func `exchanges are read as they are written, and others refused by what there is`() throws
  {
    for (text, canonical) in [
      ("fedavg", "fedavg"), ("fedavg(every=1e)", "fedavg"),
      ("fedavg(every=20)", "fedavg(every=20)"),
      ("papa(pull=3,start=shared)", "papa(start=shared,pull=3.0)"), ("diloco()", "diloco"),
    ] {
      #expect(try Coupling(parsing: text).description == canonical)
      #expect(Coupling(canonical)?.description == canonical)
    }
    for (text, word) in [
      ("gossip", "there are fedavg, papa, papa-all, wash, diloco"),
      ("fedavg(every=0)", "1 to 1000000000"),
      ("fedavg(every=9223372036854775807e)", "1 to 1000000000"),
      ("wash(start=separate)", "has no setting \"start\""),
      ("papa(pull=-1)", "above 0"), ("fedavg(every=2", "is not closed"),
    ] {
      let error = #expect(throws: SettingsError.self) { try Coupling(parsing: text) }
      #expect(error?.description.contains(word) == true, "\(text): \(error?.description ?? "")")
      #expect(Coupling(text) == nil && !Coupling.problem(with: text).isEmpty)
    }
  }

  @Test(arguments: ["fedavg", "fedavg(weights=equal)", "diloco(outer-rate=1,outer-momentum=0)"])
  func `running statistics are averaged with the parameters`(text: String) throws {
    let graph = try Graph(parsing: "resnet8:1x8x8-4")
    let samples = [100, 300]
    let members = Population(
      (0..<2).map { member in
        var network = Network(graph, random: RandomStream(seed: 1, "member", member))
        for place in network.buffers.indices { network.buffers[place] = Float(place + 10 * member) }
        return GradientDescent(network, learningRate: 0.1, momentum: 0.9, weightDecay: 0)
      }, of: graph, sampleCounts: samples)
    let after = try exchange(text, members)
    let share: Float = text.contains("equal") ? 0.5 : 0.75
    for buffer in graph.buffers {
      for place in buffer.range {
        let mean = Float(place) + 10 * share
        for member in 0..<2 {
          #expect(
            after[member].network.buffers[place] == (buffer.role == .count ? mean.rounded() : mean))
        }
      }
    }
    #expect(largestDifference(after[0].network.parameters, after[1].network.parameters) == 0)
  }

  @Test func `WASH shuffles as much in a short run as in a long one`() throws {
    let members = try population()
    func moved(_ text: String, of count: Int) throws -> Double {
      let after = try exchange(text, members, of: count)
      let (a, b) = (parameters(members)[0], parameters(after)[0])
      return Double(zip(a, b).filter { $0 != $1 }.count) / Double(a.count)
    }
    // All of the first layer in a hundred exchanges, and less below; a fourth stays where it was.
    #expect(try moved("wash", of: 100) == moved("wash(share=1)", of: 100))
    #expect(try moved("wash", of: 400) == moved("wash(share=0.25)", of: 7))
    #expect(try moved("wash(shuffles=10)", of: 100) == moved("wash(share=0.1)", of: 7))
    #expect(try moved("wash", of: 50) > 0.3 && moved("wash", of: 2000) < 0.05)
  }
}
