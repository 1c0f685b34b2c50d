extension Graph {
  /// The graph with other numbers of units in its groups.
  ///
  ///     Graph("784-512-10")!.resized(to: [1024])      // 784-1024-10
  ///
  /// - Parameter counts: how many units each group of ``symmetry`` is to have.
  /// - Returns: the same nodes with other widths.
  /// - Throws: ``GraphError`` if a layer cannot have so many units, or the network grows too large.
  public func resized(to counts: [Int]) throws(GraphError) -> Graph {
    precondition(counts.count == symmetry.groups.count)
    let resized = nodes.indices.map { index in
      guard let first = tensors(of: index).first, let group = symmetry.group(of: first, axis: 0)
      else { return nodes[index] }
      return Node(
        nodes[index].name, nodes[index].layer.resized(to: counts[group]),
        reads: nodes[index].inputs)
    }
    let graph = try Graph(input: inputShape, resized)
    for (group, count) in zip(graph.symmetry.groups, counts) {
      guard group.count == count else {
        throw GraphError(nil, "a layer of \(self) cannot have \(count) units")
      }
    }
    return (try? familyGraph(like: graph, counts)) ?? graph
  }

  /// A resized graph as the text of this graph's family makes it, if one does.
  private func familyGraph(like graph: Graph, _ counts: [Int]) throws(GraphError) -> Graph? {
    var widths: [String: String] = [:]
    for (group, count) in zip(symmetry.groups, counts) { widths["\(group.count)"] = "\(count)" }
    var text = ""
    var number = ""
    for character in description + " " {
      if character.isNumber {
        number.append(character)
      } else {
        text += (widths[number] ?? number) + String(character)
        number = ""
      }
    }
    let candidate = try Graph(parsing: String(text.dropLast()))
    return candidate == graph ? candidate : nil
  }
}
