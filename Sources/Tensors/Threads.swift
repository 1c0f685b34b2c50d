import Dispatch
import Synchronization

/// The `index`th of `parts` nearly equal parts of the numbers below `count`.
///
/// Borders are multiples of 16, the width of the kernels.
public func part(_ index: Int, of parts: Int, in count: Int) -> Range<Int> {
  func border(_ index: Int) -> Int { index == parts ? count : index * count / parts / 16 * 16 }
  return border(index)..<border(index + 1)
}

/// Runs `body` for every index below `count`, on up to `threads` threads.
///
/// Every index is computed whole by one thread, the next one by whichever is free, so results do not
/// depend on how many threads there are.
public func concurrently(_ count: Int, threads: Int, _ body: @Sendable (Int) -> Void) {
  let workers = min(threads, count)
  guard workers > 1 else { return (0..<count).forEach(body) }
  let next = Atomic(0)
  DispatchQueue.concurrentPerform(iterations: workers) { _ in
    while true {
      let index = next.add(1, ordering: .relaxed).oldValue
      guard index < count else { return }
      body(index)
    }
  }
}

/// What `body` gives for every index below `count`, computed on up to `threads` threads, in order.
public func concurrentMap<Result: Sendable>(
  _ count: Int, threads: Int, _ body: @Sendable (Int) -> Result
) -> [Result] {
  let results = Mutex([Result?](repeating: nil, count: count))
  concurrently(count, threads: threads) { index in
    let result = body(index)
    results.withLock { $0[index] = result }
  }
  return results.withLock { $0.compactMap(\.self) }
}
