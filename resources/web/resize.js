// The square that the network reads, made as Handlens makes it on a computer: a triangle filter as wide as the
// reduction (Pillow's BILINEAR), first along the rows, then along the columns.

/** Weights of the input pixels of each output pixel, as {first, weights}. */
function filters(from, to) {
  const scale = from / to, support = Math.max(scale, 1), found = [];
  for (let index = 0; index < to; index++) {
    const centre = (index + 0.5) * scale;
    const first = Math.max(0, Math.floor(centre - support + 0.5));
    const last = Math.min(from, Math.floor(centre + support + 0.5));
    const weights = new Float32Array(Math.max(1, last - first));
    let sum = 0;
    for (let place = first; place < last; place++) {
      const distance = Math.abs((place - centre + 0.5) / support);
      sum += weights[place - first] = distance < 1 ? 1 - distance : 0;
    }
    for (let place = 0; place < weights.length; place++) weights[place] /= sum;
    found.push({ first, weights });
  }
  return found;
}

/** RGBA pixels (width × height) as RGB bytes (size × size × 3). */
export function squash(rgba, width, height, size) {
  const rows = new Uint8ClampedArray(height * size * 3), square = new Uint8Array(size * size * 3);
  const across = filters(width, size), down = filters(height, size);
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < size; x++) {
      const { first, weights } = across[x];
      let red = 0, green = 0, blue = 0, at = (y * width + first) * 4;
      for (let k = 0; k < weights.length; k++, at += 4) {
        red += rgba[at] * weights[k]; green += rgba[at + 1] * weights[k]; blue += rgba[at + 2] * weights[k];
      }
      const to = (y * size + x) * 3;
      rows[to] = red; rows[to + 1] = green; rows[to + 2] = blue;
    }
  }
  for (let y = 0; y < size; y++) {
    const { first, weights } = down[y];
    for (let x = 0; x < size * 3; x++) {
      let value = 0;
      for (let k = 0; k < weights.length; k++) value += rows[(first + k) * size * 3 + x] * weights[k];
      square[y * size * 3 + x] = Math.round(value);
    }
  }
  return square;
}
