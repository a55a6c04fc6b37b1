"use strict";
const all = (selector, within = document) => [...within.querySelectorAll(selector)];

// one version of each portrait at a time
for (const radio of all(".tree input")) {
  const show = () => { for (const version of all(".version", radio.closest(".portrait")))
    version.hidden = version.id !== radio.value; };
  radio.addEventListener("change", show);
  if (radio.checked) show();
}

// before and after: the other version lies over this one, as far as the slider stands
for (const select of all(".against")) {
  const version = select.closest(".version"), slider = version.querySelector(".slider");
  const after = version.querySelector(".after");
  const wipe = before => { before.style.clipPath = `inset(0 ${100 - slider.value}% 0 0)`; };
  const lay = () => {
    version.querySelector(".before")?.remove();
    slider.hidden = !select.value;
    if (!select.value) return;
    const before = document.getElementById(select.value).querySelector(".after").cloneNode();
    before.className = "before";
    before.alt = select.selectedOptions[0].dataset.alt;
    after.after(before);
    wipe(before);
  };
  slider.addEventListener("input", () => wipe(version.querySelector(".before")));
  select.addEventListener("change", lay);
  lay();
}

// a format is cut out of the picture here: nothing is asked of a server
for (const select of all(".format")) {
  const link = select.closest(".desk").querySelector(".get"), whole = link.href, name = link.download;
  select.addEventListener("change", () => {
    const chosen = select.selectedOptions[0];
    link.href = whole;
    link.download = name;
    if (!chosen.value) return;
    const picture = select.closest(".version").querySelector(".after");
    const [left, top, right, bottom] = chosen.value.split(" ").map(Number);
    const w = picture.naturalWidth, h = picture.naturalHeight, canvas = document.createElement("canvas");
    canvas.width = Math.round((right - left) * w);
    canvas.height = Math.round((bottom - top) * h);
    const draw = canvas.getContext("2d");
    draw.fillStyle = "#fff";
    draw.fillRect(0, 0, canvas.width, canvas.height);
    if (chosen.dataset.circle) {
      draw.arc(canvas.width / 2, canvas.height / 2, Math.min(canvas.width, canvas.height) / 2, 0, 7);
      draw.clip();
    }
    draw.drawImage(picture, -left * w, -top * h);
    link.href = canvas.toDataURL("image/jpeg", 0.92);
    link.download = name.replace(/(\.\w+)?$/, `-${chosen.dataset.name}.jpg`);
  });
}

// any two pictures beside each other
const dialog = document.querySelector("dialog"), two = dialog.querySelector(".two");
dialog.querySelector(".close").addEventListener("click", () => dialog.close());
for (const button of all(".second")) button.addEventListener("click", () => {
  button.setAttribute("aria-pressed", String(button.getAttribute("aria-pressed") !== "true"));
  const pressed = all('.second[aria-pressed="true"]');
  if (pressed.length < 2) return;
  two.replaceChildren(...pressed.map(each => {
    const version = each.closest(".version"), shown = document.createElement("div");
    shown.append(version.querySelector(".after").cloneNode(), version.querySelector(".name").cloneNode(true),
      version.querySelector(".likeness").cloneNode(true));
    return shown;
  }));
  for (const each of pressed) each.setAttribute("aria-pressed", "false");
  dialog.showModal();
});
