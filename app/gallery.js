// The player alone, with the names of the models above the videos.

export default function ({ data, parentElement }) {
  const held = parentElement.gallery;
  const same = held && held.sources.join() === data.clips.join();
  if (!same) {
    held?.player.close();
    held?.player.element.remove();
    const { clips: sources, labels, ratio } = data;
    const player = new Player({ sources, labels, ratio, told: () => {} });
    player.videos.forEach((video, slot) => video.box.prepend(make("figcaption", "", labels[slot])));
    parentElement.append(player.element);
    parentElement.gallery = { player, sources };
  }
  return () => parentElement.gallery?.player.close();
}
