import CMPI
import Testing

@testable import MPI

extension WorldTests {
  @MainActor @Suite struct ReductionTests {
    @Test(arguments: counts, ReduceOperation.allCases)
    func `integers reduce as a loop over ranks does`(
      count: Int, operation: ReduceOperation
    ) throws {
      try check(as: Int.self)
      try check(as: Int32.self)
      try check(as: UInt8.self)
      try check(as: UInt64.self)

      func check<S: TestScalar & FixedWidthInteger>(as _: S.Type) throws {
        // Small, so that nothing overflows: Open MPI's vector loops saturate where its scalar loops wrap.
        func values(_ count: Int, rank: Int) -> [S] {
          (0..<count).map { S(truncatingIfNeeded: (rank + $0) % 4) }
        }
        let expected = (1..<max(world.size, 1)).reduce(values(count, rank: 0)) { sum, rank in
          zip(sum, values(count, rank: rank)).map { operation.combine($0, $1) }
        }
        // MPI makes a logical result 0 or 1 only where it combines something.
        let single = world.size == 1
        try forEachChunkSize { communicator in
          let mine = values(count, rank: world.rank)
          let all = try communicator.allreduce(mine, operation, phase: "test")
          #expect(all == (single ? mine : expected))
          for root in 0..<world.size {
            let got = try communicator.reduce(mine, operation, to: root, phase: "test")
            #expect(got == (world.rank == root ? (single ? mine : expected) : nil))
          }
        }
      }
    }

    @Test func `floating point reduces with sums, products, minima and maxima`() throws {
      // Small whole numbers: exact in any order.
      try forEachChunkSize { communicator in
        let mine = [Float(communicator.rank + 1), 2, -Float(communicator.rank)]
        let n = Float(communicator.size)
        let sums = try communicator.allreduce(mine, .sum, phase: "test")
        let minima = try communicator.allreduce(mine, .minimum, phase: "test")
        let maxima = try communicator.allreduce(mine, .maximum, phase: "test")
        let products = try communicator.reduce(mine, .product, to: 0, phase: "test")
        #expect(sums == [n * (n + 1) / 2, 2 * n, -n * (n - 1) / 2])
        #expect(minima == [1, 2, -(n - 1)])
        #expect(maxima == [n, 2, 0])
        let factorial = Float((1...communicator.size).reduce(1, *))
        #expect(products?.first == (communicator.isRoot ? factorial : nil))
      }
    }

    @Test func `a logical operation on floating point is refused in MPI's words`() throws {
      let error = #expect(throws: MPIError.self) {
        try world.allreduce([Float(1)], .logicalAnd, phase: "test")
      }
      #expect(error?.isInWords(of: MPI_ERR_OP) == true)
    }

    @Test(arguments: counts)
    func `an ordered sum has the bits of a loop over ranks`(count: Int) throws {
      func addends(rank: Int) -> [Float] {
        // Magnitudes far apart, so that any other order of additions rounds differently.
        (0..<count).map { index in
          let magnitude = [Float(1e3), 1, -3e2, 3e-1, 7][(rank + index) % 5]
          return magnitude * (1 + Float(rank * 13 + index) / 977)
        }
      }
      let expected = (1..<max(world.size, 1)).reduce(addends(rank: 0)) { sum, rank in
        zip(sum, addends(rank: rank)).map(+)
      }
      if world.size > 2, count == 1000 {
        let backwards = (0..<world.size - 1).reversed().reduce(addends(rank: world.size - 1)) {
          sum, rank in zip(sum, addends(rank: rank)).map(+)
        }
        #expect(backwards != expected, "the addends do not tell orders apart")
      }
      try forEachChunkSize { communicator in
        let got = try communicator.orderedSum(addends(rank: world.rank), phase: "test")
        #expect(got.map(\.bitPattern) == expected.map(\.bitPattern))
        let doubles = try communicator.orderedSum(
          addends(rank: world.rank).map(Double.init), phase: "test")
        #expect(doubles.count == count)
      }
    }
  }
}

extension ReduceOperation {
  /// What the operation means for two integers.
  fileprivate func combine<S: FixedWidthInteger>(_ a: S, _ b: S) -> S {
    switch self {
    case .sum: a &+ b
    case .product: a &* b
    case .minimum: min(a, b)
    case .maximum: max(a, b)
    case .logicalAnd: a != 0 && b != 0 ? 1 : 0
    case .logicalOr: a != 0 || b != 0 ? 1 : 0
    case .logicalXor: (a != 0) != (b != 0) ? 1 : 0
    case .bitwiseAnd: a & b
    case .bitwiseOr: a | b
    case .bitwiseXor: a ^ b
    }
  }
}
