// Ways from latents to other latents; all are Float32Arrays of latentSize numbers.

const dot = (a, b) => a.reduce((sum, value, i) => sum + value * b[i], 0);
const squaredDistance = (a, b) => a.reduce((sum, value, i) => sum + (value - b[i]) ** 2, 0);

/** Return a sum of latents with weights. */
function mixed(latents, weights) {
  return latents[0].map((_, i) => latents.reduce((sum, z, k) => sum + weights[k] * z[i], 0));
}

/** Return (1 - t) a + t b. */
const lerp = (a, b, t) => mixed([a, b], [1 - t, t]);

/** Return the way from a to b on the sphere (Shoemake 1985); straight where there is no plane. */
function slerp(a, b, t) {
  const lengths = Math.sqrt(dot(a, a) * dot(b, b));
  const angle = lengths ? Math.acos(Math.min(1, Math.max(-1, dot(a, b) / lengths))) : 0;
  const sine = Math.sin(angle);
  if (sine < 1e-3) return lerp(a, b, t);
  return mixed([a, b], [Math.sin((1 - t) * angle) / sine, Math.sin(t * angle) / sine]);
}

/** Return the latent at (x, y) of a square with two to four corners, as `surface` in Python. */
function onSquare([topLeft, topRight, bottomLeft, bottomRight], x, y, mix) {
  const down = (top, bottom) => (top && bottom ? mix(top, bottom, y) : top || bottom);
  const left = down(topLeft, bottomLeft);
  const right = down(topRight, bottomRight);
  return left && right ? mix(left, right, x) : Float32Array.from(left || right);
}

// ---- principal directions

/** Return where a latent lies along a direction, in deviations from the mean of all sprites. */
function along(z, direction) {
  const offset = z.map((value, i) => value - center[i]);
  return dot(offset, row(axes, direction)) / (deviations[direction] || 1);
}

/** Return a latent moved along a direction to a value of `along`. */
function movedTo(z, direction, value) {
  const axis = row(axes, direction);
  const step = (value - along(z, direction)) * deviations[direction];
  return z.map((old, i) => old + step * axis[i]);
}

// ---- between sprites

/** Return the indices of the sprites nearest by a distance (index) -> number, the nearest first. */
function nearest(distance, most, among = names.keys()) {
  return [...among]
    .map((i) => [distance(i), i])
    .sort((a, b) => a[0] - b[0])
    .slice(0, most)
    .map(([, i]) => i);
}

const PLACE_NEAR = 5; // sprites around a place on the map that count there

const mapDistance = (i, x, y) => (places[2 * i] - x) ** 2 + (places[2 * i + 1] - y) ** 2;
const nearestOnMap = (x, y, most) => nearest((i) => mapDistance(i, x, y), most);

/** Return the mixture of the sprites around a place on the map, the nearer the more of it. */
function latentAt(x, y) {
  const near = nearestOnMap(x, y, PLACE_NEAR);
  const weights = near.map((i) => 1 / (mapDistance(i, x, y) + 1e-9));
  const total = weights.reduce((a, b) => a + b);
  return mixed(near.map((i) => row(mu, i)), weights.map((weight) => weight / total));
}

// ---- chance

const chance = () => 1 - Math.random(); // in (0, 1]
const pick = (list) => list[Math.floor(Math.random() * list.length)];

/** Return a draw from N(0, 1), by Box and Muller. */
const normal = () => Math.sqrt(-2 * Math.log(chance())) * Math.cos(2 * Math.PI * chance());

/** Return a draw from the Gamma distribution of a whole shape: a sum of exponentials. */
function gamma(shape) {
  let sum = 0;
  for (let k = 0; k < shape; k++) sum -= Math.log(chance());
  return sum;
}

/** The samplers of utils/latents/samplers.py that draw here. */
const samplers = {
  prior: () => Float32Array.from({ length: latentSize }, normal),

  /** Return a mixture of two to four near sprites of different creatures, not next to a sprite. */
  neighbours() {
    const { near, parents, concentration, stretch, leastRatio, tries } = facts.sampler;
    let z;
    for (let k = 0; k < tries; k++) {
      const index = Math.floor(Math.random() * count);
      const first = row(mu, index);
      const others = [...names.keys()].filter((i) => groups[i] !== groups[index]);
      const around = nearest((i) => squaredDistance(first, row(mu, i)), near, others);
      let share = Math.random();
      const wanted = parents.find(([, part]) => (share -= part) < 0)?.[0] ?? 2;
      const chosen = [first];
      while (chosen.length < wanted && around.length) {
        const [i] = around.splice(Math.floor(Math.random() * around.length), 1);
        chosen.push(row(mu, i));
      }
      const weights = chosen.map(() => gamma(concentration));
      const total = weights.reduce((a, b) => a + b);
      z = mixed(chosen, weights.map((weight) => weight / total));
      z = z.map((value, i) => center[i] + stretch * (value - center[i]));
      if (ratioOfDistances(z) >= leastRatio) break;
    }
    return z;
  },
};

/** Return the squared distance to the nearest sprite over that to one of another creature. */
function ratioOfDistances(z) {
  const squared = [...names.keys()].map((i) => squaredDistance(z, row(mu, i)));
  const first = squared.indexOf(Math.min(...squared));
  const others = squared.filter((_, i) => groups[i] !== groups[first]);
  return others.length ? squared[first] / Math.max(Math.min(...others), 1e-12) : 1;
}

const CHILD_SPREAD = 0.3; // deviations of the noise that makes children differ from mixtures

/** Return a child: along each principal direction some part of each parent, and a little chance. */
function childOf(a, b) {
  let z = Float32Array.from(a);
  for (let k = 0; k < latentSize; k++) {
    const part = Math.random();
    const value = (1 - part) * along(a, k) + part * along(b, k);
    z = movedTo(z, k, value + CHILD_SPREAD * normal());
  }
  return z;
}
