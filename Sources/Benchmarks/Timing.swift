import Experiments
import Networks
import Tensors

/// The seconds that several repeats of one thing took.
struct Timing {
  private(set) var seconds: [Double]

  init(_ seconds: [Double]) { self.seconds = seconds }

  /// Times some work, after one time that does not count: it fills caches and makes buffers.
  ///
  /// Work that takes less than `floor` is done several times a repeat.
  ///
  /// - Parameters:
  ///   - repeats: how many times are taken.
  ///   - floor: the seconds a repeat lasts at least, so that the clock and interrupts weigh little.
  ///   - work: what is timed.
  init(repeats: Int, floor: Double = 0.02, of work: () -> Void) {
    let first = elapsed(work)
    let inner = first < floor ? min(Int(floor / max(first, 1e-7)) + 1, 100_000) : 1
    seconds = (0..<repeats).map { _ in
      elapsed { for _ in 0..<inner { work() } } / Double(inner)
    }
  }

  var median: Double {
    let sorted = seconds.sorted()
    let middle = sorted.count / 2
    return sorted.count.isMultiple(of: 2)
      ? (sorted[middle - 1] + sorted[middle]) / 2 : sorted[middle]
  }

  var minimum: Double { seconds.min() ?? 0 }

  /// A row of the report.
  ///
  /// - Parameters:
  ///   - name: of the row.
  ///   - amount: how much is done in the time, in units.
  ///   - unit: of the rate.
  ///   - result: what was computed.
  /// - Returns: the row, with the median's rate.
  func row(
    _ name: String, amount: Double, unit: String, result: Double? = nil
  ) -> BenchmarkReport.Row {
    BenchmarkReport.Row(
      name: name, seconds: median, minimum: minimum, repeats: seconds.count,
      rate: amount / median, unit: unit, result: result)
  }
}

/// How long some work takes, in seconds.
func elapsed(_ work: () -> Void) -> Double {
  let start = ContinuousClock.now
  work()
  return (ContinuousClock.now - start).seconds
}

/// The moments at which a run of epochs came to the end of each batch.
struct BatchTimes {
  private let start = ContinuousClock.now
  private var ends: [Double]

  /// The times of a run that starts now; `ends` are given in tests.
  init(ends: [Double] = []) { self.ends = ends }

  mutating func mark() { ends.append((ContinuousClock.now - start).seconds) }

  /// The seconds of every epoch after those of warming up.
  ///
  /// What an epoch costs once (its order, a check at its end) falls between the last batch of one epoch
  /// and the first of the next, and is counted once, also where only `timed` of its `all` batches are
  /// run.
  ///
  /// - Parameters:
  ///   - timed: how many batches of each epoch were run.
  ///   - all: how many a whole epoch has.
  ///   - warmUp: how many epochs do not count, at least one.
  /// - Returns: a time an epoch; an epoch that was cut short is scaled up.
  func epochs(timed: Int, of all: Int, after warmUp: Int) -> Timing {
    let first = stride(from: warmUp * timed, to: ends.count, by: timed)
    return Timing(
      first.map { first in
        let opening = ends[first] - ends[first - 1]
        guard timed > 1 else { return opening * Double(all) }
        let step = (ends[first + timed - 1] - ends[first]) / Double(timed - 1)
        return opening + step * Double(all - 1)
      })
  }

  /// The seconds of every step after the epochs of warming up, but the first and the last of each.
  ///
  /// The first has the epoch's opening in it, and the last may be of a smaller batch. Where an epoch has
  /// no others, all are counted.
  func steps(timed: Int, after warmUp: Int) -> Timing {
    let counted = (min(warmUp * timed, ends.count)..<ends.count).filter {
      timed < 3 || (1..<timed - 1).contains($0 % timed)
    }
    return Timing(counted.map { ends[$0] - ends[$0 - 1] })
  }
}
