// The one live region of the page: all of it speaks through this, so that two changes are not read at
// once. It has to be there before something is said. Python puts this before the scripts that speak.

function liveRegion() {
  const id = "explorer-live-region";
  let found = document.getElementById(id);
  if (!found) {
    found = Object.assign(document.createElement("div"), { id });
    found.setAttribute("role", "status");
    found.style.cssText = "position:absolute;width:1px;height:1px;overflow:hidden;clip-path:inset(50%);white-space:nowrap";
    (document.querySelector('[data-testid="stMain"]') ?? document.body).append(found);
  }
  return found;
}
