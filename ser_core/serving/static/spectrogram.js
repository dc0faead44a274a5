// Scrolling mel spectrogram of a microphone, for the pages that record.

const SPECTROGRAM_S = 6;
const MAX_FREQUENCY_HZ = 8000;
const MIN_LEVEL_DBFS = -100; // darkest colour
const MAX_LEVEL_DBFS = -35; // brightest colour

// A function that draws the columns since its last call, and returns whether there were any.
function spectrogramDrawer(canvas, analyser, colormap) {
  const { width, height } = canvas;
  const context = canvas.getContext("2d");
  const levels_dbfs = new Float32Array(analyser.frequencyBinCount);
  const rows = spectrogramRows(height, analyser.context.sampleRate / analyser.fftSize);
  const colours = colormap.map((colour) => [...colour, 255]);
  context.fillStyle = `rgb(${colormap[0]})`;
  context.fillRect(0, 0, width, height);
  let drawn_ms = performance.now();
  return (now_ms) => {
    const n_columns = Math.min(width, Math.floor((now_ms - drawn_ms) * width / (1000 * SPECTROGRAM_S)));
    if (n_columns < 1) return false;
    drawn_ms += n_columns * 1000 * SPECTROGRAM_S / width;
    analyser.getFloatFrequencyData(levels_dbfs);
    context.drawImage(canvas, -n_columns, 0);
    const columns = context.createImageData(n_columns, height);
    fillColumns(columns, rows, levels_dbfs, colours);
    context.putImageData(columns, width - n_columns, 0);
    return true;
  };
}

// [first, end) bins of each pixel row, on the mel scale, from the top.
function spectrogramRows(height, bin_hz) {
  const edge = (k) => melToHertz((1 - k / height) * hertzToMel(MAX_FREQUENCY_HZ)) / bin_hz;
  return Array.from({ length: height }, (_, y) => {
    const first = Math.floor(edge(y + 1));
    return [first, Math.max(first + 1, Math.ceil(edge(y)))];
  });
}

function fillColumns(image, rows, levels_dbfs, colours) {
  rows.forEach(([first, end], y) => {
    const level_dbfs = levels_dbfs.subarray(first, end).reduce((a, b) => Math.max(a, b));
    const share = (level_dbfs - MIN_LEVEL_DBFS) / (MAX_LEVEL_DBFS - MIN_LEVEL_DBFS);
    const colour = colours[Math.round(255 * Math.max(0, Math.min(1, share)))];
    for (let x = 0; x < image.width; x++) image.data.set(colour, 4 * (y * image.width + x));
  });
}

function hertzToMel(hertz) { return Math.log1p(hertz / 700); }
function melToHertz(mel) { return 700 * Math.expm1(mel); }
