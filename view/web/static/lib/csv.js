// Tables in files: comma or tab separated, quoted as RFC 4180 says.

/** Return the rows of a table's text, at most `most` of them. */
export function table(text, most = 500) {
  const separator =
    (text.slice(0, 2000).match(/\t/g) ?? []).length > (text.slice(0, 2000).match(/,/g) ?? []).length ? "\t" : ",";
  const rows = [];
  let row = [];
  let cell = "";
  let quoted = false;
  for (let place = 0; place < text.length && rows.length < most; place += 1) {
    const one = text[place];
    if (quoted) {
      if (one !== '"') cell += one;
      else if (text[place + 1] === '"') {
        cell += one;
        place += 1;
      } else quoted = false;
    } else if (one === '"' && cell === "") quoted = true;
    else if (one === separator) {
      row.push(cell);
      cell = "";
    } else if (one === "\n") {
      row.push(cell.replace(/\r$/, ""));
      rows.push(row);
      [row, cell] = [[], ""];
    } else cell += one;
  }
  if ((cell || row.length) && rows.length < most) rows.push([...row, cell]);
  return rows;
}
