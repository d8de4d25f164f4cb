// A Plotly chart that is updated in place. st.plotly_chart makes a new one for each new figure, which
// flickers and loses the reader's zoom.

let library;

function load() {
  library ??= new Promise((resolve, reject) => {
    const script = document.createElement("script");
    script.src = new URL("plotly/plotly.min.js", document.baseURI);
    script.onload = () => resolve(window.Plotly);
    script.onerror = () => reject(new Error("Plotly's library could not be loaded."));
    document.head.append(script);
  });
  return library;
}

export default function ({ data, parentElement }) {
  const chart = parentElement.querySelector(".explorer-chart");
  chart.wanted = data;
  load().then((Plotly) => {
    if (chart.wanted !== data) return; // a newer figure came while the library was loading
    const { fontFamily: family, color } = getComputedStyle(chart);
    const look = `${color} ${family} ${data}`;
    if (chart.look === look) return; // the page ran again, and nothing of this changed
    chart.look = look;
    const { data: traces, layout } = JSON.parse(data);
    layout.font = { family, color, size: 12 };
    layout.autosize = true;
    chart.style.height = `${layout.height}px`;
    Plotly.react(chart, traces, layout, {
      displaylogo: false,
      displayModeBar: "hover",
      modeBarButtons: [["toImage"]],
      responsive: true,
    });
  });
}
