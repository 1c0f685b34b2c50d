import Experiments

extension Report {
  /// How much worse than the members means of them are, for each alignment.
  var barrierSection: HTMLPage.Section? {
    guard let first = results.barriers.first else { return nil }
    func cells(
      _ barrier: Results.Barrier, _ set: String, _ value: (Results.Values) -> Results.Value
    ) -> [String] {
      [
        barrier.alignment.map { "permuted by \(escaped($0))" } ?? "as trained", set,
        loss(value(barrier.mean)), loss(value(barrier.largest)), points(value(barrier.mean)),
        points(value(barrier.largest)), loss(value(barrier.simplex.excess)),
        points(value(barrier.simplex.excess)), loss(value(barrier.barycentre.excess)),
        points(value(barrier.barycentre.excess)),
      ]
    }
    let rows = results.barriers.flatMap { barrier in
      [
        (cells: cells(barrier, "test", \.test), isStrong: false),
        (cells: cells(barrier, "training", \.training), isStrong: false),
      ]
    }
    let pairs = counted(first.pairs.count, "pair")
    return HTMLPage.Section(
      heading: "Barriers",
      caption: "How much worse a mean of members is than the members are, by the same weights: loss"
        + " above theirs in nats, accuracy below theirs in points; negative where it is better. The"
        + " barrier of a pair is the highest such excess on the line between two members (\(pairs)),"
        + " the simplex the mean over \(first.simplex.networks) random weights of all members, the"
        + " barycentre their plain mean.",
      body: htmlTable(
        [
          "members", "set", "pairs: loss,<br>mean", "pairs: loss,<br>largest",
          "pairs: points,<br>mean", "pairs: points,<br>largest", "simplex:<br>loss",
          "simplex:<br>points", "barycentre:<br>loss", "barycentre:<br>points",
        ], rows))
  }

  private func loss(_ value: Results.Value) -> String { decimal(value.loss, 3) }
  private func points(_ value: Results.Value) -> String { decimal(100 * value.accuracy, 2) }
}
