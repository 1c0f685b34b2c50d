extension Network {
  /// The network with the batch normalisation statistics of some samples, all taken as one batch; one without is left as it is.
  ///
  /// - Parameters:
  ///   - inputs: rows × inputs; may be longer.
  ///   - rows: how many samples, two at least.
  ///   - threads: how many threads compute.
  /// - Returns: the same parameters with other buffers.
  public func withStatistics(of inputs: [Float], rows: Int, threads: Int = 1) -> Network {
    let followers = graph.buffers.filter { graph.nodes[$0.node].layer is BatchNorm }
    guard !followers.isEmpty else { return self }
    // From zero, running statistics go a tenth of the way to the batch's.
    var result = self
    for buffer in followers where buffer.role != .count {
      for place in buffer.range { result.buffers[place] = 0 }
    }
    var workspace = Workspace(graph, capacity: rows, threads: threads, purpose: .inference)
    result.forwardTraining(inputs, rows: rows, workspace: &workspace)
    for buffer in followers where buffer.role != .count {
      for place in buffer.range { result.buffers[place] *= 10 }
    }
    return result
  }
}
